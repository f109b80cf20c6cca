"""The step ``image.center-crop``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Option, StepFunction
from mlharness_vision.steps.pixels import SHAPE, SIZE, check_image, on_first, wanted_shape

NAME = "image.center-crop"
ROUNDING = Option(
    "rounding",
    "string",
    "What becomes of half a pixel before the cut: down, or half-even as torchvision does.",
    "down",
    choices=("down", "half-even"),
)
PARAMETERS = (SIZE, SHAPE, ROUNDING)


def make_center_crop(
    size: int | None = None, shape: Sequence[int] | None = None, rounding: str = "down"
) -> StepFunction:
    """Sample step: cut out the middle: a square of ``size``, or ``shape`` as [height, width].

    An odd remainder leaves the extra row below and the extra column on the right, as in MLPerf's references. With
    rounding half-even, as in torchvision, it does so when half the remainder rounds down to an even number, and else
    leaves them above and on the left. Input: any dtype [height, width, channels]; output: the same dtype, contiguous.

    Raises:
        UserError: not exactly one of size and shape is given, or it is not positive.
        UserError: (from the step) the image is smaller than the cut.
    """
    height, width = wanted_shape(NAME, size, shape) or (size or 1, size or 1)

    def crop(pixels: Array) -> Array:
        check_image(pixels)
        above, left = pixels.shape[0] - height, pixels.shape[1] - width
        if above < 0 or left < 0:
            raise UserError(
                f"got {list(pixels.shape)}, smaller than the {[height, width]} to cut out",
                "Put 'image.resize' before it.",
            )
        top, left = half(above, rounding), half(left, rounding)
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])

    return on_first(crop)


def half(remainder: int, rounding: str) -> int:
    """How much of what is cut off lies before the middle, in pixels; Python rounds halves to the even number."""
    return round(remainder / 2) if rounding == "half-even" else remainder // 2
