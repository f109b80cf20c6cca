"""The step ``image.layout``."""

from __future__ import annotations

import numpy as np

from mlharness.providers import Array, Option, StepFunction
from mlharness_vision.steps.pixels import check_image, on_first

NAME = "image.layout"
PARAMETERS = (Option("to", "string", "The order of the axes that comes out.", required=True, choices=("CHW", "HWC")),)


def make_layout(to: str) -> StepFunction:
    """Sample step: move the channels: to CHW from [height, width, channels], to HWC from [channels, height, width].

    Any dtype, kept; the output is contiguous.

    Raises:
        UserError: (from the step) the array has not three axes.
    """
    axes = (2, 0, 1) if to == "CHW" else (1, 2, 0)

    def layout(pixels: Array) -> Array:
        check_image(pixels)
        return np.ascontiguousarray(pixels.transpose(axes))

    return on_first(layout)
