"""The metric ``auc``: area under the receiver operating characteristic, as MLPerf's script for DLRM computes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlharness.errors import RunError
from mlharness.providers import Array, Option, ResponseSpec, Score

Z95 = 1.959963984540054
OPTIONS = (
    Option(
        "grouped",
        "boolean",
        "Whether a sample is several pairs of user and item, as in DLRM: a score for each, and a list as label.",
        default=False,
    ),
)


def response(options: Mapping[str, Any]) -> ResponseSpec:
    """One float32 score a sample, or with ``grouped`` any number of them."""
    return ResponseSpec("float32", (None,) if options["grouped"] else (1,))


def score(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """The area under the ROC curve of float32 scores against labels of 0 and 1, in percent.

    The details are those of MLPerf's script: accuracy (percent) of the rounded scores, how many of them are right
    (good), scores in all (total) and samples (queries). Samples without a label are left out. The interval is DeLong's;
    scores of one sample count as dependent on each other.
    """
    found = [(row, np.atleast_1d(truth)) for index, row in responses.items() if (truth := label(index)) is not None]
    if not found:
        raise RunError("auc: no sample of the data set has a label")
    for row, truth in found:
        check_pair(row, truth)
    scores = np.concatenate([row for row, _ in found])
    truths = np.concatenate([truth for _, truth in found])
    samples = np.repeat(np.arange(len(found)), [len(row) for row, _ in found])
    area = area_under_curve(scores, truths)
    good = int((scores.round() == truths).sum())
    details = {"accuracy": 100.0 * good / len(scores), "good": good, "total": len(scores), "queries": len(found)}
    return Score(100.0 * area, "%", len(found), interval(scores, truths == 1, samples, area), details)


def check_pair(row: Array, truth: Array) -> None:
    """Raise RunError unless a sample's labels are 0 or 1, one for each of its scores."""
    if truth.shape != row.shape:
        raise RunError(f"auc: a sample has {row.size} scores and {truth.size} labels", "Option grouped is for lists.")
    if truth.dtype.kind not in "biuf" or not np.isin(truth, (0, 1)).all():
        raise RunError(f"auc: a label is {truth.tolist()}, and must be 0 or 1", "Correct the data set's label.")


def area_under_curve(scores: Array, truths: Array) -> float:
    """scikit-learn's figure, as a fraction. Raises RunError when one of the two classes does not occur."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(truths)) < 2:
        raise RunError(f"auc: every label is {truths[0]:g}, and the curve needs both 0 and 1", "Use more samples.")
    if not np.isfinite(scores).all():
        raise RunError("auc: a score is not finite")
    return float(roc_auc_score(truths, scores))


def interval(scores: Array, positive: Array, samples: Array, area: float) -> tuple[float, float] | None:
    """The area's 95 % interval in percent, from DeLong's variance over samples of one or several scores.

    None where the scores say nothing of the variance: in perfect order, or with one sample of a class.

    Args:
        scores: [scores].
        positive: bool [scores].
        samples: the sample of each score, int [scores].
        area: the area as a fraction.

    Sources: E. R. DeLong et al., Biometrics 44 (1988); for several scores a sample N. A. Obuchowski, Biometrics 53
    (1997).
    """
    above, below = placements(scores, positive)
    count = int(samples.max()) + 1
    one = np.bincount(samples[positive], (above - area) / len(above), count)
    other = np.bincount(samples[~positive], (below - area) / len(below), count)
    with_one, with_other = len(np.unique(samples[positive])), len(np.unique(samples[~positive]))
    if min(with_one, with_other) < 2:
        return None
    parts = ((with_one, one * one), (with_other, other * other), (count, 2 * one * other))
    variance = sum(clusters / (clusters - 1) * float(products.sum()) for clusters, products in parts)
    if variance <= 0:
        return None
    half = Z95 * math.sqrt(variance)
    return 100.0 * max(0.0, area - half), 100.0 * min(1.0, area + half)


def placements(scores: Array, positive: Array) -> tuple[Array, Array]:
    """For each positive the share of negatives below it, for each negative that of positives above; a tie is half."""
    from scipy.stats import rankdata

    high, low = scores[positive], scores[~positive]
    ranks = np.empty(len(scores))
    ranks[positive], ranks[~positive] = rankdata(high), rankdata(low)
    among_all = rankdata(scores)
    above = (among_all[positive] - ranks[positive]) / len(low)
    below = 1 - (among_all[~positive] - ranks[~positive]) / len(high)
    return above, below
