"""The step ``image.decode``: from a file's bytes to pixels."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Option, StepFunction
from mlharness_vision.steps.opencv import LIBRARY, import_cv2
from mlharness_vision.steps.pixels import on_first

NAME = "image.decode"
PARAMETERS = (Option("mode", "string", "Channels of the decoded image.", "RGB", choices=("RGB", "BGR", "L")), LIBRARY)


def make_decode(mode: str = "RGB", library: str = "pillow") -> StepFunction:
    """Sample step: a file's bytes to pixels.

    Input: uint8 [bytes] of any format that the library reads. Output: uint8 [height, width, channels]; channels is 3,
    or 1 for mode L. Transparency is dropped. Pillow does not apply an orientation in the file's EXIF part; OpenCV does,
    as its imread.

    Raises:
        UserError: library is opencv, and OpenCV is not installed.
        UserError: (from the step) the bytes are not a complete image.
    """
    return on_first(_opencv(mode) if library == "opencv" else _pillow(mode))


def _pillow(mode: str) -> Callable[[Array], Array]:
    from PIL import Image, UnidentifiedImageError

    def decode(data: Array) -> Array:
        try:
            with Image.open(io.BytesIO(data.tobytes())) as image:
                pixels = np.array(image.convert("L" if mode == "L" else "RGB"))
        except UnidentifiedImageError as error:  # its own text is the buffer's address
            raise UserError(
                f"{data.size} bytes are not an image of a format that Pillow knows", "Replace the file."
            ) from error
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(
                f"{data.size} bytes are not an image that can be decoded: {error}", "Replace the file."
            ) from error
        if mode == "BGR":
            return np.ascontiguousarray(pixels[:, :, ::-1])
        return pixels[:, :, None] if mode == "L" else pixels

    return decode


def _opencv(mode: str) -> Callable[[Array], Array]:
    cv2 = import_cv2(NAME)
    flag = cv2.IMREAD_GRAYSCALE if mode == "L" else cv2.IMREAD_COLOR

    def decode(data: Array) -> Array:
        try:
            pixels: Array | None = cv2.imdecode(data, flag)
        except cv2.error as error:
            raise UserError(f"{data.size} bytes are not an image that OpenCV can read", "Replace the file.") from error
        if pixels is None:
            raise UserError(f"{data.size} bytes are not an image that OpenCV can read", "Replace the file.")
        if mode == "RGB":
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return pixels[:, :, None] if mode == "L" else pixels

    return decode
