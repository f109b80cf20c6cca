"""The response of MLPerf's detection benchmarks: rows of seven numbers for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Array, Arrays, Context, Option, StepFunction

NAME = "detection.coco-rows"
KINDS = ("count", "boxes", "scores", "classes")
PARAMETERS = (
    Option(
        "arrays", "array", "What the arrays are, in order: boxes, scores, classes, and count where the network has it.",
        KINDS,
    ),
    Option(
        "corners", "string", "How a box stands: xyxy is left, top, right, bottom; yxyx top, left, bottom, right.",
        "yxyx", choices=("yxyx", "xyxy"),
    ),
    Option("size", "array", "[height, width] of the image that boxes count pixels of; without it they are fractions."),
    Option("score_threshold", "number", "Detections with a lower score are left out.", 0.0),
)  # fmt: skip


def make_coco_rows(
    arrays: Sequence[str] = KINDS,
    corners: str = "yxyx",
    size: Sequence[int] | None = None,
    score_threshold: float = 0.0,
) -> StepFunction:
    """Batch step: detections to the rows that MLPerf's COCO and OpenImages scripts read back.

    Input, in the order of ``arrays`` and of any number dtype: boxes [n, k, 4], scores and classes [n, k] each, and how
    many of the k count, [n]. A network that takes one image at a time may leave the batch axis out of boxes, scores
    and classes. Output: float32 [rows, 7] for each image: sample index, top, left, bottom, right, score, class; edges
    as fractions of the image. One array [n, rows, 7] when all images have as many rows.

    Where the reference implementation stops at the first score below the threshold, all such detections are left out:
    the same for detections that are sorted by score.

    Raises:
        UserError: arrays does not name boxes, scores and classes once each, or size is not two numbers above 0.
        UserError: (from the step) the arrays are not those.
    """
    names = check_arrays(arrays)
    units = np.ones(4, np.float32) if size is None else np.array([*check_size(size), *size], np.float32)
    order = [0, 1, 2, 3] if corners == "yxyx" else [1, 0, 3, 2]

    def to_rows(given: Arrays, context: Context) -> Arrays | Array:
        boxes, scores, classes, counts = find(names, given, context["sample_indices"])
        rows = np.empty((*scores.shape, 7), np.float32)
        rows[:, :, 0] = np.asarray(context["sample_indices"])[:, None]
        rows[:, :, 1:5] = boxes[:, :, order].astype(np.float32, copy=False) / units
        rows[:, :, 5], rows[:, :, 6] = scores, classes
        wanted = (np.arange(scores.shape[1]) < counts[:, None]) & (rows[:, :, 5] >= np.float32(score_threshold))
        return split(rows, wanted)

    return to_rows


def find(names: Sequence[str], arrays: Arrays, indices: Sequence[int]) -> tuple[Array, Array, Array, Array]:
    """Boxes [n, k, 4], scores [n, k], classes [n, k] and counts, int64 [n]; n is the number of samples.

    Raises:
        UserError: there are more arrays than names or fewer, or they have other shapes.
    """
    if len(arrays) != len(names):
        raise UserError(f"got {len(arrays)} arrays, and arrays names {len(names)}: {', '.join(names)}", _WRITE_ARRAYS)
    given = dict(zip(names, arrays, strict=True))
    lone = given["boxes"].ndim == 2
    boxes, scores, classes = (given[name][None] if lone else given[name] for name in ("boxes", "scores", "classes"))
    n, k = len(indices), boxes.shape[1] if boxes.ndim == 3 else -1
    counts = given.get("count", np.full(n, k)).reshape(-1).astype(np.int64)
    if (boxes.shape, scores.shape, classes.shape, counts.shape) != ((n, k, 4), (n, k), (n, k), (n,)):
        found = {name: list(array.shape) for name, array in given.items()}
        raise UserError(
            f"got {found} for {n} samples, and needs boxes [n, k, 4], scores [n, k], classes [n, k] and count [n]",
            "Name the arrays in the order in which they come: arrays: [...].",
        )
    return boxes, scores, classes, counts


def split(rows: Array, wanted: Array) -> Arrays | Array:
    """The wanted rows of each image: one array [n, k, 7] when all have as many, else a tuple of n arrays [k, 7]."""
    counts = np.count_nonzero(wanted, axis=1)
    chosen = rows[wanted]
    if (counts == counts[0]).all():
        result: Array = chosen.reshape(len(rows), counts[0], 7)
        return result
    return tuple(np.split(chosen, np.cumsum(counts)[:-1]))


def check_arrays(arrays: Sequence[Any]) -> tuple[str, ...]:
    """The names, as text. Raises UserError unless each of boxes, scores and classes is among them, none twice."""
    for name in arrays:
        if name not in KINDS:
            raise UserError(f"step '{NAME}': arrays has {name!r}", f"{did_you_mean(str(name), KINDS)} {_WRITE_ARRAYS}")
    if len(set(arrays)) != len(arrays) or not {"boxes", "scores", "classes"} <= set(arrays):
        raise UserError(f"step '{NAME}': arrays is {list(arrays)}", _WRITE_ARRAYS)
    return tuple(arrays)


def check_size(size: Sequence[Any]) -> Sequence[int]:
    """Height and width. Raises UserError unless they are two numbers above 0."""
    numbers = all(isinstance(side, (int, float)) and not isinstance(side, bool) and side > 0 for side in size)
    if len(size) != 2 or not numbers:
        raise UserError(f"step '{NAME}': size is {list(size)!r}", "Give [HEIGHT, WIDTH] in pixels, or leave it out.")
    return size


_WRITE_ARRAYS = "Name boxes, scores and classes once each, and count where the network gives it, in its order."
