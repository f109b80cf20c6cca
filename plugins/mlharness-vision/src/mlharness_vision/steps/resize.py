"""The step ``image.resize``, as Pillow or OpenCV does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Option, StepFunction
from mlharness_vision.steps.opencv import LIBRARIES, LIBRARY, import_cv2
from mlharness_vision.steps.pixels import SHAPE, SIZE, check_image, on_first, wanted_shape

NAME = "image.resize"
PILLOW = {name: name.upper() for name in ("nearest", "bilinear", "bicubic", "lanczos", "box")}
OPENCV = {
    "nearest": "INTER_NEAREST",
    "bilinear": "INTER_LINEAR",
    "bicubic": "INTER_CUBIC",
    "lanczos": "INTER_LANCZOS4",
    "area": "INTER_AREA",
}
PARAMETERS = (
    SIZE,
    SHAPE,
    Option(
        "interpolation", "string", "The filter: box is Pillow's alone, area OpenCV's.", "bilinear",
        choices=(*PILLOW, "area"),
    ),
    LIBRARY,
)  # fmt: skip


def make_resize(
    size: int | None = None,
    shape: Sequence[int] | None = None,
    interpolation: str = "bilinear",
    library: str = "pillow",
) -> StepFunction:
    """Sample step: resize, with ``size`` by the shorter side, with ``shape`` to exactly [height, width].

    With ``size`` the longer side keeps the proportion, rounded down, as torchvision and MLPerf's references do. Input
    and output: uint8 [height, width, channels], channels 1 or 3; with OpenCV float32, too. Pillow's filters widen when
    an image shrinks, so they antialias; OpenCV's do not, but for area, which weighs each pixel by the part that is
    covered, and enlarges as bilinear does.

    Raises:
        UserError: not exactly one of size and shape is given, or it is not positive.
        UserError: the library has no such interpolation, or is not installed.
        UserError: (from the step) the array is not such an image.
    """
    wanted = wanted_shape(NAME, size, shape)
    change = _opencv(interpolation) if library == "opencv" else _pillow(interpolation)
    kinds = ("uint8", "float32") if library == "opencv" else ("uint8",)

    def resize(pixels: Array) -> Array:
        check_pixels(pixels, kinds)
        height, width = wanted or short_side_shape(pixels.shape[0], pixels.shape[1], size or 1)
        if pixels.shape[:2] == (height, width):
            return pixels
        grey = pixels.shape[2] == 1
        resized = change(pixels[:, :, 0] if grey else pixels, height, width)
        return resized[:, :, None] if grey else resized

    return on_first(resize)


def short_side_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """[height, width] in pixels with the shorter side ``size`` and the longer one in proportion, rounded down."""
    if height <= width:
        return size, width * size // height
    return height * size // width, size


def check_pixels(pixels: Array, kinds: Sequence[str]) -> None:
    """Raise UserError unless it is an image of 1 or 3 channels and of one of these dtypes."""
    check_image(pixels)
    if str(pixels.dtype) not in kinds or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise UserError(
            f"got {pixels.dtype} {list(pixels.shape)}, and needs {' or '.join(kinds)} [height, width, 1 or 3]",
            "Put it between 'image.decode' and 'image.normalize'.",
        )


def find_filter(filters: dict[str, str], interpolation: str, library: str) -> str:
    """The library's own name of a filter. Raises UserError that names the library that has it."""
    if interpolation not in filters:
        other = LIBRARIES[1 - LIBRARIES.index(library)]
        raise UserError(
            f"step '{NAME}': {library} has no interpolation {interpolation!r}",
            f"Say library: {other}, or take one of {', '.join(filters)}.",
        )
    return filters[interpolation]


def _pillow(interpolation: str) -> Callable[[Array, int, int], Array]:
    name = find_filter(PILLOW, interpolation, "pillow")

    from PIL import Image

    resampling = Image.Resampling[name]

    def change(pixels: Array, height: int, width: int) -> Array:
        return np.array(Image.fromarray(pixels).resize((width, height), resampling))

    return change


def _opencv(interpolation: str) -> Callable[[Array, int, int], Array]:
    name = find_filter(OPENCV, interpolation, "opencv")
    cv2 = import_cv2(NAME)
    flag = getattr(cv2, name)

    def change(pixels: Array, height: int, width: int) -> Array:
        resized: Array = cv2.resize(pixels, (width, height), interpolation=flag)
        return resized

    return change
