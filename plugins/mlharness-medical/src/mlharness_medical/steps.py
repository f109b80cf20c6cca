"""Steps on volumes. A sample step works on the first array of its sample and passes the others on unless it says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction
from mlharness_medical.geometry import OVERLAP, SPACING, WINDOW, check_spacing, check_window, fitted, resampled

_DISTANCES = "The distance of voxels that comes out, along each axis, in the unit of the data set (mm)."
RESAMPLE = (Option("spacing", "array", _DISTANCES, default=SPACING),)
NORMALIZE = (
    Option("low", "number", "Smaller values become this first.", required=True),
    Option("high", "number", "Larger values become this first.", required=True),
    Option("mean", "number", "Subtracted after that.", default=0.0),
    Option("std", "number", "Divided by at the end, above 0.", default=1.0),
)
FIT = (
    Option("window", "array", "The sides of a window, in voxels.", default=WINDOW),
    Option("overlap", "number", "The share of a window that the next one covers too.", default=OVERLAP),
    Option("fill", "number", "The value of voxels that are added.", default=0.0),
)


def make_resample(spacing: Sequence[float] = SPACING) -> StepFunction:
    """Sample step: interpolate a volume linearly to another distance of voxels.

    Input: a volume of any number dtype [d, h, w], and the distance of its voxels, float64 [3]. Output: float32
    [d', h', w'], where each side is the rounded product of the old side and the ratio of the distances; the distance of
    voxels is dropped.

    Raises:
        UserError: spacing is not three numbers above 0.
        UserError: (from the step) the arrays are not such a volume and its distances.
    """
    wanted = check_spacing("step 'volume.resample'", spacing)

    def resample(arrays: Arrays, context: Context) -> Arrays:
        if len(arrays) < 2 or arrays[0].ndim != 3 or arrays[1].shape != (3,):
            raise UserError(
                f"got {[list(array.shape) for array in arrays]}, and needs a volume and its distances of voxels",
                "Put it first, and take a data set that gives both.",
            )
        return (resampled(arrays[0].astype(np.float32), arrays[1].tolist(), wanted, order=1), *arrays[2:])

    return resample


def make_normalize(low: float, high: float, mean: float = 0.0, std: float = 1.0) -> StepFunction:
    """Sample step: (values limited to low ... high - mean) / std; any number dtype and shape -> float32, same shape.

    Raises:
        UserError: low is above high, or std is not above 0.
    """
    if low > high or std <= 0:
        raise UserError(
            f"step 'volume.normalize': low is {low:g}, high {high:g} and std {std:g}", "Give low <= high, and std > 0."
        )

    def normalize(arrays: Arrays, context: Context) -> Arrays:
        limited = np.clip(arrays[0].astype(np.float32), np.float32(low), np.float32(high))
        limited -= np.float32(mean)
        limited /= np.float32(std)
        return (limited, *arrays[1:])

    return normalize


def make_fit(window: Sequence[int] = WINDOW, overlap: float = OVERLAP, fill: float = 0.0) -> StepFunction:
    """Sample step: cut or pad a volume so that windows cover it; any dtype [..., d, h, w], kept.

    Sides shorter than the window repeat their edges. A rest beyond whole steps from window to window is cut off where
    it is less than half a step, and else filled up with ``fill``.

    Raises:
        UserError: window is not three whole numbers, or overlap is not from 0 to below 1.
        UserError: (from the step) the array has fewer than three axes.
    """
    sides = check_window("step 'volume.fit'", window, overlap)

    def fit(arrays: Arrays, context: Context) -> Arrays:
        check_volume(arrays[0])
        return (np.ascontiguousarray(fitted(arrays[0], sides, overlap, fill)), *arrays[1:])

    return fit


def make_add_channel() -> StepFunction:
    """Sample step: one channel in front of a volume; any dtype [d, h, w] -> [1, d, h, w]."""

    def add_channel(arrays: Arrays, context: Context) -> Arrays:
        if arrays[0].ndim != 3:
            raise UserError(f"got the shape {list(arrays[0].shape)}, and needs [d, h, w]", "Take the step out.")
        return (arrays[0][None], *arrays[1:])

    return add_channel


def make_argmax() -> StepFunction:
    """Batch step: the class of each voxel, in the volume's order; any [n, classes, d, h, w] -> uint8 [n, d*h*w]."""

    def argmax(arrays: Arrays, context: Context) -> Arrays:
        scores = arrays[0]
        if scores.ndim != 5 or scores.shape[1] > 256:
            raise UserError(
                f"got the shape {list(scores.shape)}, and needs [n, classes, d, h, w] of up to 256 classes",
                "Put it first under postprocess.",
            )
        return (scores.argmax(axis=1).astype(np.uint8).reshape(len(scores), -1),)

    return argmax


def check_volume(volume: Array) -> None:
    """Raise UserError for an array with fewer axes than a volume."""
    if volume.ndim < 3:
        raise UserError(f"got the shape {list(volume.shape)}, and needs [..., d, h, w]", "Take a data set of volumes.")
