"""Sample steps for images: NumPy arrays in and out, no batch axis, no state, Pillow's own decoding and resizing.

A step works on the first array of its sample and passes the others on unchanged. What is wrong with one sample is a
UserError without the step's name: the runner adds the step and the sample.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box")
_SIZE = Option("size", "integer", "Pixels, at least 1. Give either size or shape.")
_SHAPE = Option("shape", "array", "[height, width] in pixels. Give either size or shape.")

DECODE = (Option("mode", "string", "Channels of the decoded image.", "RGB", choices=("RGB", "BGR", "L")),)
RESIZE = (
    _SIZE,
    _SHAPE,
    Option("interpolation", "string", "Pillow's resampling filter.", "bilinear", choices=_INTERPOLATIONS),
)
CENTER_CROP = (_SIZE, _SHAPE)
NORMALIZE = (
    Option("mean", "array", "Subtracted after scaling: one number, or one for each channel.", (0.0,)),
    Option("std", "array", "Divided by at the end, not 0: one number, or one for each channel.", (1.0,)),
    Option("scale", "number", "Pixels are multiplied by this first, as 0.00392156862745098 for 0 to 1.", 1.0),
)
LAYOUT = (Option("to", "string", "The order of the axes that comes out.", required=True, choices=("CHW", "HWC")),)


def make_decode(mode: str = "RGB") -> StepFunction:
    """Sample step: a file's bytes to pixels.

    Input: uint8 [bytes] of any format that Pillow reads. Output: uint8 [height, width, channels]; channels is 3, or 1
    for mode L. Transparency is dropped, and an orientation in the file's EXIF part is not applied.

    Raises:
        UserError: (from the step) the bytes are not a complete image.
    """
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

    return _on_first(decode)


def make_resize(
    size: int | None = None, shape: Sequence[int] | None = None, interpolation: str = "bilinear"
) -> StepFunction:
    """Sample step: resize with Pillow (its filters widen when an image shrinks, so they antialias).

    With ``size`` the shorter side becomes that long and the longer side keeps the proportion, rounded down; with
    ``shape`` the result is exactly [height, width]. Input and output: uint8 [height, width, channels], channels 1 or 3.

    Raises:
        UserError: not exactly one of size and shape is given, or it is not positive.
        UserError: (from the step) the array is not such an image.
    """
    from PIL import Image

    wanted = _wanted_shape("image.resize", size, shape)
    resampling = Image.Resampling[interpolation.upper()]

    def resize(pixels: Array) -> Array:
        _check_image(pixels)
        if pixels.dtype != np.uint8 or pixels.shape[2] not in (1, 3):
            raise UserError(
                f"got {pixels.dtype} {list(pixels.shape)}, and needs uint8 [height, width, 1 or 3]",
                "Put it between 'image.decode' and 'image.normalize'.",
            )
        height, width = wanted or short_side_shape(pixels.shape[0], pixels.shape[1], size or 1)
        if pixels.shape[:2] == (height, width):
            return pixels
        grey = pixels.shape[2] == 1
        image = Image.fromarray(pixels[:, :, 0] if grey else pixels)
        resized = np.array(image.resize((width, height), resampling))
        return resized[:, :, None] if grey else resized

    return _on_first(resize)


def short_side_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """[height, width] in pixels with the shorter side ``size`` and the longer one in proportion, rounded down."""
    if height <= width:
        return size, width * size // height
    return height * size // width, size


def make_center_crop(size: int | None = None, shape: Sequence[int] | None = None) -> StepFunction:
    """Sample step: cut out the middle: a square of ``size``, or ``shape`` as [height, width].

    An odd remainder leaves the extra row below and the extra column on the right. Input: any dtype
    [height, width, channels]; output: the same dtype, contiguous.

    Raises:
        UserError: not exactly one of size and shape is given, or it is not positive.
        UserError: (from the step) the image is smaller than the cut.
    """
    height, width = _wanted_shape("image.center-crop", size, shape) or (size or 1, size or 1)

    def crop(pixels: Array) -> Array:
        _check_image(pixels)
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        if top < 0 or left < 0:
            raise UserError(
                f"got {list(pixels.shape)}, smaller than the {[height, width]} to cut out",
                "Put 'image.resize' before it.",
            )
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])

    return _on_first(crop)


def make_normalize(mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,), scale: float = 1.0) -> StepFunction:
    """Sample step: (pixels x scale - mean) / std, in float32.

    Input: any number dtype [height, width, channels]. Output: float32 of the same shape.

    Raises:
        UserError: mean or std is empty, holds something else than numbers, or std holds 0.
        UserError: (from the step) mean or std has neither one number nor one for each channel.
    """
    means, deviations = _numbers("mean", mean), _numbers("std", std)
    if not deviations.all():
        raise UserError(f"step 'image.normalize': std is {list(std)}, and must not hold 0", "Leave std out to keep 1.")
    factor = (scale / deviations).astype(np.float32)
    offset = (-means / deviations).astype(np.float32)

    def normalize(pixels: Array) -> Array:
        _check_image(pixels)
        for name, values in (("mean", means), ("std", deviations)):
            if values.size not in (1, pixels.shape[2]):
                raise UserError(
                    f"{name} has {values.size} numbers for {pixels.shape[2]} channels",
                    "Give one number, or one for each channel, and put the step before 'image.layout'.",
                )
        result = np.multiply(pixels, factor, dtype=np.float32)
        result += offset
        return result

    return _on_first(normalize)


def make_layout(to: str) -> StepFunction:
    """Sample step: move the channels: to CHW from [height, width, channels], to HWC from [channels, height, width].

    Any dtype, kept; the output is contiguous.

    Raises:
        UserError: (from the step) the array has not three axes.
    """
    axes = (2, 0, 1) if to == "CHW" else (1, 2, 0)

    def layout(pixels: Array) -> Array:
        _check_image(pixels)
        return np.ascontiguousarray(pixels.transpose(axes))

    return _on_first(layout)


def _on_first(change: Callable[[Array], Array]) -> StepFunction:
    def step(arrays: Arrays, context: Context) -> Arrays:
        return (change(arrays[0]), *arrays[1:])

    return step


def _check_image(pixels: Array) -> None:
    if pixels.ndim != 3:
        raise UserError(f"got the shape {list(pixels.shape)}, and needs three axes", "Put 'image.decode' first.")


def _wanted_shape(step: str, size: int | None, shape: Sequence[int] | None) -> tuple[int, int] | None:
    """The exact [height, width], or None when ``size`` is given. Raises UserError unless one of them is usable."""
    if (size is None) == (shape is None):
        raise UserError(f"step '{step}' needs either size or shape", "Give size: PIXELS, or shape: [HEIGHT, WIDTH].")
    given: Sequence[Any] = [size] if shape is None else list(shape)
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in given)
    if not whole or len(given) != (1 if shape is None else 2):
        name, value = ("size", size) if shape is None else ("shape", list(shape))
        raise UserError(
            f"step '{step}': {name} is {value!r}", "Give size: PIXELS, or shape: [HEIGHT, WIDTH], each at least 1."
        )
    return None if shape is None else (given[0], given[1])


def _numbers(name: str, values: Sequence[Any]) -> Array:
    if not values or not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise UserError(
            f"step 'image.normalize': {name} is {list(values)!r}", "Give a list of one number, or one for each channel."
        )
    return np.array(values, dtype=np.float64)
