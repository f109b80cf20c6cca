"""The shapes of volumes: resampling, padding, and where windows lie. MLPerf's preprocessing of KiTS19, of any volume.

Everything works on the last three axes; axes before them are channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array

SPACING = (1.6, 1.2, 1.2)
WINDOW = (128, 128, 128)
OVERLAP = 0.5
"""MLPerf's for KiTS19: the distance of voxels in mm, the sides of a window, and its share that the next covers."""


def resampled(volume: Array, spacing: Sequence[float], wanted: Sequence[float], order: int) -> Array:
    """A volume [d, h, w] at another distance of voxels; the dtype stays.

    Args:
        volume: the voxels.
        spacing: their distance along each axis, in any unit.
        wanted: the distance that comes out, in the same unit.
        order: 1 to interpolate linearly, 0 to take the nearest, as labels need it.
    """
    from scipy.ndimage import zoom

    if list(spacing) == list(wanted):
        return volume
    factors = np.asarray(spacing, np.float64) / np.asarray(wanted, np.float64)
    found: Array = zoom(volume, factors, order=order, mode="constant", cval=volume.min(), grid_mode=False)
    return found


def fitted(volume: Array, window: Sequence[int], overlap: float, fill: float) -> Array:
    """A volume whose sides are as long as a window, plus whole steps from one window to the next; the dtype stays.

    A side shorter than the window grows by repeating its edges. What is then left over beyond whole steps is cut off
    when it is less than half a step, and else filled up; on both sides, the odd voxel at the end.
    """
    steps = strides(window, overlap)
    lead = ((0, 0),) * (volume.ndim - 3)
    short = [max(0, side - size) for side, size in zip(window, volume.shape[-3:], strict=True)]
    volume = np.pad(volume, (*lead, *halves(short)), mode="edge")
    rests = [size % step for size, step in zip(volume.shape[-3:], steps, strict=True)]
    cuts = halves([rest if rest < step // 2 else 0 for rest, step in zip(rests, steps, strict=True)])
    kept = [slice(before, size - after) for (before, after), size in zip(cuts, volume.shape[-3:], strict=True)]
    volume = volume[Ellipsis, kept[0], kept[1], kept[2]]
    missing = [
        most_missing(size, step, side) for size, step, side in zip(volume.shape[-3:], steps, window, strict=True)
    ]
    return np.pad(volume, (*lead, *halves(missing)), mode="constant", constant_values=fill)


def most_missing(size: int, step: int, side: int) -> int:
    """How many voxels a side lacks to be a multiple of ``step``, and at least ``side``."""
    missing = -size % step
    return missing if size + missing >= side else missing + step


def halves(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Each count in two parts, before and after; the latter has the odd one."""
    return [(count // 2, count - count // 2) for count in counts]


def strides(window: Sequence[int], overlap: float) -> list[int]:
    """How far it is from one window to the next along each axis, in voxels."""
    return [int(side * (1 - overlap)) for side in window]


def starts(shape: Sequence[int], window: Sequence[int], overlap: float) -> Iterator[tuple[int, int, int]]:
    """Where each window begins in a volume of that shape, the last axis fastest.

    Raises UserError when windows would leave voxels out, which then belong to no class.
    """
    steps = strides(window, overlap)
    if any((size - side) % step or size < side for size, side, step in zip(shape, window, steps, strict=True)):
        raise UserError(
            f"windows of {list(window)} voxels, {steps} apart, do not cover a volume of {list(shape)}",
            "Put the step volume.fit with the same window and overlap under preprocess.",
        )
    along = [range(0, size - side + 1, step) for size, side, step in zip(shape, window, steps, strict=True)]
    return ((first, second, third) for first in along[0] for second in along[1] for third in along[2])


def bell(window: Sequence[int]) -> Array:
    """What a window's answers weigh, float64 of the window's shape: 1 in the middle, less towards the edges.

    The cube root of a product of three Gaussians, each with an eighth of its side as standard deviation.
    """
    from scipy.signal.windows import gaussian

    first, second, third = (gaussian(side, 0.125 * side) for side in window)
    product = np.cbrt(np.outer(np.outer(first, second), third).reshape(tuple(window)))
    weights: Array = product / product.max()
    return weights


def check_window(what: str, window: Sequence[object], overlap: float) -> tuple[int, int, int]:
    """The option ``window``. Raises UserError unless it and ``overlap`` describe windows that can slide."""
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in window)
    if len(window) != 3 or not whole:
        raise UserError(f"{what}: window is {list(window)!r}", "Write three whole numbers, as [128, 128, 128].")
    first, second, third = (side for side in window if isinstance(side, int))
    if not 0 <= overlap < 1 or min(strides((first, second, third), overlap)) < 1:
        raise UserError(f"{what}: overlap is {overlap:g}", "Write a share of the window from 0 to below 1, as 0.5.")
    return first, second, third


def check_spacing(what: str, spacing: Sequence[object]) -> tuple[float, ...]:
    """The option ``spacing``. Raises UserError unless it is three numbers above 0."""
    numbers = [float(one) for one in spacing if isinstance(one, (int, float)) and not isinstance(one, bool)]
    if len(spacing) != 3 or len(numbers) != 3 or min(numbers) <= 0:
        raise UserError(f"{what}: spacing is {list(spacing)!r}", "Write three distances of voxels, as [1.6, 1.2, 1.2].")
    return tuple(numbers)
