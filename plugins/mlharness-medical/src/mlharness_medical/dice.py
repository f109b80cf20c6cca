"""The metric ``dice`` of segmented volumes, as MLPerf's scripts for KiTS19 and BraTS compute it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlharness.errors import RunError
from mlharness.providers import Array, Option, ResponseSpec, Score
from mlharness.stats import bootstrap_interval

OPTIONS = (
    Option(
        "task",
        "string",
        "kits19: kidney and tumour, from the class of each voxel. brats: whole tumour, tumour core and enhancing "
        "tumour, from the scores of four classes.",
        default="kits19",
        choices=("kits19", "brats"),
    ),
)
KITS19 = ("kidney", "tumor")
"""Classes 1 and 2."""
BRATS = {"whole tumor": 1, "tumor core": 2, "enhancing tumor": 3}
"""Of each region the first class; those above belong to it, too."""
_SMOOTH = 1e-6


def response(options: Mapping[str, Any]) -> ResponseSpec:
    """kits19: uint8 [voxels], a class each. brats: float16 [4 * voxels], the scores of the padded volume."""
    return ResponseSpec("float16" if options["task"] == "brats" else "uint8", (None,))


def score(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """The mean DICE of volumes' regions, from 0 to 1; the details are each region's mean.

    kits19: the mean over cases of kidney and tumour. brats: the mean of the regions' means, each rounded to four digits
    and over the cases in which the region occurs, as MLPerf's script reads them from nnU-Net's summary. The interval is
    a bootstrap's over cases.
    """
    truths = ((index, label(index)) for index in sorted(responses))
    if options["task"] == "brats":
        rows = [brats_case(responses[index], truth, index) for index, truth in truths if truth is not None]
        return summary(rows, tuple(BRATS), digits=4)
    rows = [kits19_case(responses[index], truth, index) for index, truth in truths if truth is not None]
    return summary(rows, KITS19, digits=None)


def summary(rows: Sequence[Sequence[float]], names: Sequence[str], digits: int | None) -> Score:
    """The score of cases' figures, one for each region; NaN where a case has none of it."""
    if not rows:
        raise RunError("dice: no sample of the data set has labels")
    figures = np.array(rows)
    means = region_means(figures[None])[0]
    if np.isnan(means).any():
        raise RunError(f"dice: no case has any voxel of {names[int(np.argmax(np.isnan(means)))]}", "Use more samples.")
    if digits is not None:
        means = np.array([float(f"{mean:.{digits}f}") for mean in means])
    details = {name: float(mean) for name, mean in zip(names, means, strict=True)}
    return Score(float(means.mean()), "", len(rows), interval(figures), details)


def region_means(figures: Array) -> Array:
    """The mean over cases, NaN left out; [..., cases, regions] -> [..., regions], NaN where there is none."""
    known = ~np.isnan(figures)
    with np.errstate(invalid="ignore"):
        means: Array = np.where(known, figures, 0.0).sum(axis=-2) / known.sum(axis=-2)
    return means


def interval(figures: Array) -> tuple[float, float] | None:
    """A 95 % bootstrap interval over cases, [cases, regions]; None for fewer than two cases."""
    return bootstrap_interval(len(figures), lambda drawn: region_means(figures[drawn]).mean(axis=-1), at_once=True)


def kits19_case(classes: Array, truth: Array, index: int) -> list[float]:
    """DICE of kidney and tumour of one case; 1 where neither side has any."""
    if classes.size != truth.size:
        raise RunError(
            f"dice: the response of sample {index} has {classes.size} voxels, and its label {list(truth.shape)}",
            "Spacing, window and overlap of the data set must be those of the model's steps.",
        )
    if classes.size and classes.max() > len(KITS19):
        raise RunError(f"dice: the response of sample {index} has the class {classes.max()}, and there are 0, 1 and 2")
    flat = truth.reshape(-1)
    return [smooth_dice(classes == kind, flat == kind) for kind in range(1, len(KITS19) + 1)]


def smooth_dice(found: Array, truth: Array) -> float:
    """DICE of two masks, bool of one shape; 1 for two empty ones."""
    return (2.0 * int((found & truth).sum()) + _SMOOTH) / (int(truth.sum()) + int(found.sum()) + _SMOOTH)


def brats_case(scores: Array, truth: Mapping[str, Array], index: int) -> list[float]:
    """DICE of the three regions of one case; NaN where neither side has any."""
    padded = tuple(int(side) for side in truth["padded"])
    try:
        volumes = scores.reshape(4, *padded)
    except ValueError as error:
        raise RunError(
            f"dice: the response of sample {index} has {scores.size} numbers, and needs 4 x {list(padded)}"
        ) from error
    found = uncropped(volumes, truth)
    return [plain_dice(found >= first, truth["label"] >= first) for first in BRATS.values()]


def uncropped(scores: Array, truth: Mapping[str, Array]) -> Array:
    """The class of each voxel of the whole volume, uint8 in the label's shape; what was cropped away is background."""
    before = [(int(side) - int(size)) // 2 for side, size in zip(truth["padded"], truth["size"], strict=True)]
    inside = tuple(slice(start, start + int(size)) for start, size in zip(before, truth["size"], strict=True))
    classes = scores[:, inside[0], inside[1], inside[2]].argmax(axis=0)
    whole = np.zeros(truth["label"].shape, np.uint8)
    whole[tuple(slice(int(low), int(low) + size) for low, size in zip(truth["low"], classes.shape, strict=True))] = (
        classes
    )
    return whole


def plain_dice(found: Array, truth: Array) -> float:
    """DICE of two masks, bool of one shape; NaN for two empty ones."""
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & truth).sum()) / total if total else float("nan")
