"""How sure an average precision is: images drawn anew, without matching their boxes again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness.providers import Array
from mlharness.stats import bootstrap_interval


@dataclass(frozen=True)
class CategoryMatches:
    """The detections of one category in all images, best score first, and how many objects each image has.

    ``image`` is the position of each detection's image, int64 [d]; ``right`` and ``wrong`` say for each threshold of
    overlap whether the detection counts as one or the other, bool [thresholds, d]; neither where it is to be ignored.
    ``objects`` counts the objects of each image, int64 [images].
    """

    image: Array
    right: Array
    wrong: Array
    objects: Array


def interval_of_map(evaluation: Any, rounds: int) -> tuple[float, float] | None:
    """A 95 % interval of COCOeval's first figure in percent, by drawing images; None for fewer than two, or 0 rounds.

    Drawn figures lie a little high, since precision at a recall is the best at that recall or a higher one, which noise
    raises. So the interval lies around the figure as theirs lies around their median, within 0 to 100.

    Args:
        evaluation: a ``COCOeval`` that was evaluated, accumulated and summarized.
        rounds: how often as many images as there are are drawn with replacement.
    """
    count, value = len(evaluation.params.imgIds), 100.0 * float(evaluation.stats[0])
    if rounds < 1:
        return None
    matches = list(matches_of(evaluation))
    recalls = np.asarray(evaluation.params.recThrs)
    figures: list[float] = []

    def figure(drawn: Array) -> float:
        times = np.bincount(drawn, minlength=count)
        figures.append(100.0 * mean_average_precision(matches, times, recalls))
        return figures[-1]

    interval = bootstrap_interval(count, figure, rounds)
    if interval is None:
        return None
    shift = value - float(np.median(figures))
    return max(0.0, interval[0] + shift), min(100.0, interval[1] + shift)


def matches_of(evaluation: Any) -> Sequence[CategoryMatches]:
    """What COCOeval matched, of every category that any image has: all sizes of objects, up to 100 detections.

    COCOeval keeps a record for each category, size of objects and image, in this order; all sizes stand first.
    """
    parameters = evaluation.params
    images, sizes = len(parameters.imgIds), len(parameters.areaRng)
    found = []
    for category in range(len(parameters.catIds)):
        start = category * sizes * images
        records = evaluation.evalImgs[start : start + images]
        if any(record is not None for record in records):
            found.append(join(records, len(parameters.iouThrs)))
    return [matches for matches in found if matches.objects.any()]


def join(records: Sequence[Any], thresholds: int) -> CategoryMatches:
    """The records of one category, image by image (None: the image has nothing of it), as one."""
    empty = {"dtScores": [], "dtMatches": np.zeros((thresholds, 0)), "dtIgnore": np.zeros((thresholds, 0))}
    filled = [record or {**empty, "gtIgnore": np.zeros(0)} for record in records]
    scores = np.concatenate([record["dtScores"] for record in filled])
    order = np.argsort(-scores, kind="mergesort")
    image = np.repeat(np.arange(len(filled)), [len(record["dtScores"]) for record in filled])
    matched = np.concatenate([record["dtMatches"] for record in filled], axis=1)[:, order] != 0
    ignored = np.concatenate([record["dtIgnore"] for record in filled], axis=1)[:, order] != 0
    objects = np.array([np.count_nonzero(np.asarray(record["gtIgnore"]) == 0) for record in filled])
    return CategoryMatches(image[order], matched & ~ignored, ~matched & ~ignored, objects)


def mean_average_precision(matches: Sequence[CategoryMatches], times: Array, recalls: Array) -> float:
    """COCO's mean average precision, a fraction, of images that count so many ``times`` each, int64 [images].

    As COCOeval accumulates: precision at each of ``recalls`` is the best at that recall or a higher one, averaged over
    recalls, thresholds and categories that have an object; 0 when none has.
    """
    figures = [average_precision(one, times, recalls) for one in matches if one.objects @ times]
    return float(np.mean(figures)) if figures else 0.0


def average_precision(matches: CategoryMatches, times: Array, recalls: Array) -> float:
    """Of one category: the mean over thresholds and recalls, a fraction."""
    weights = times[matches.image].astype(np.int32)
    drawn = weights > 0
    weights = weights[drawn]
    right = np.cumsum(matches.right[:, drawn] * weights, axis=1, dtype=np.int32)
    wrong = np.cumsum(matches.wrong[:, drawn] * weights, axis=1, dtype=np.int32)
    if not right.size:
        return 0.0
    precision = right / np.maximum(right + wrong, 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    precision = np.concatenate([precision, np.zeros((len(precision), 1))], axis=1)
    reached = right / (matches.objects @ times)
    places = [np.searchsorted(row, recalls, side="left") for row in reached]
    return float(np.mean([row[place] for row, place in zip(precision, places, strict=True)]))
