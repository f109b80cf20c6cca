"""Sample steps: arrays of one sample in, arrays out, no state."""

from __future__ import annotations

import numpy as np

from mlharness.providers import Arrays, Context, StepFunction


def make_centre(middle: float) -> StepFunction:
    """Sample step: subtract ``middle`` from the first array; any dtype and shape -> float32, same shape."""

    def centre(arrays: Arrays, context: Context) -> Arrays:
        return (np.subtract(arrays[0], np.float32(middle), dtype=np.float32), *arrays[1:])

    return centre
