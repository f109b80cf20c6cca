"""The step ``image.normalize``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Option, StepFunction
from mlharness_vision.steps.pixels import check_image, numbers, on_first

NAME = "image.normalize"
PARAMETERS = (
    Option("mean", "array", "Subtracted after scaling: one number, or one for each channel.", (0.0,)),
    Option("std", "array", "Divided by at the end, not 0: one number, or one for each channel.", (1.0,)),
    Option("scale", "number", "Pixels are multiplied by this first.", 1.0),
    Option("divide", "number", "And divided by this, not 0: 255 makes 0 to 1 of uint8.", 1.0),
)


def make_normalize(
    mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,), scale: float = 1.0, divide: float = 1.0
) -> StepFunction:
    """Sample step: (pixels x scale / divide - mean) / std, in float32, one operation after the other.

    That is to the last bit what torchvision's to_tensor and normalize give for divide 255. Input: any number dtype
    [height, width, channels]. Output: float32 of the same shape.

    Raises:
        UserError: mean or std is empty, holds something else than numbers, or std holds 0; divide is 0.
        UserError: (from the step) mean or std has neither one number nor one for each channel.
    """
    means, deviations = numbers(NAME, "mean", mean), numbers(NAME, "std", std)
    for name, value in (("std", deviations), ("divide", np.float32(divide))):
        if not np.all(value):
            given = list(std) if name == "std" else divide
            raise UserError(f"step '{NAME}': {name} is {given}, and must not hold 0", f"Leave {name} out to keep 1.")
    factor, divisor = np.float32(scale), np.float32(divide)

    def normalize(pixels: Array) -> Array:
        check_image(pixels)
        for name, values in (("mean", means), ("std", deviations)):
            if values.size not in (1, pixels.shape[2]):
                raise UserError(
                    f"{name} has {values.size} numbers for {pixels.shape[2]} channels",
                    "Give one number, or one for each channel, and put the step before 'image.layout'.",
                )
        result: Array = np.multiply(pixels, factor, dtype=np.float32)
        result /= divisor
        result -= means
        result /= deviations
        return result

    return on_first(normalize)
