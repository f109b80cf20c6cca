"""The metrics, against MLPerf's script for DLRM and against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mlharness_data import auc, regression
from scipy import stats
from sklearn import metrics

from mlharness.errors import RunError
from mlharness.providers import Array

# Printed by recommendation/dlrm_v2/pytorch/tools/accuracy-dlrm.py of mlcommons/inference with scikit-learn 1.9.1, for a
# log of log(sizes, digits, seed), in a shuffled order and with one sample logged twice, and files of its form with the
# labels: --mlperf-accuracy-file LOG --day-23-file LABELS --aggregation-trace-file SIZES.
OFFICIAL = {
    "single": "AUC=78.079%, accuracy=75.400%, good=377, total=500, queries=500",
    "grouped": "AUC=83.124%, accuracy=74.167%, good=267, total=360, queries=120",
}
LOGS: dict[str, tuple[list[int], int, int]] = {
    "single": ([1] * 500, 2, 7),
    "grouped": ([1 + index % 5 for index in range(120)], 3, 8),
}


def log(sizes: list[int], digits: int, seed: int) -> tuple[dict[int, Array], list[list[int]]]:
    """Scores and labels of samples of these sizes; few digits make ties."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(sum(sizes)) < 0.3).astype(np.int64)
    scores = np.clip(rng.normal(0.35 + 0.25 * labels, 0.2), 0, 1).round(digits).astype(np.float32)
    ends = np.cumsum(sizes)[:-1]
    return dict(enumerate(np.split(scores, ends))), [part.tolist() for part in np.split(labels, ends)]


@pytest.mark.parametrize("name", OFFICIAL)
def test_auc_prints_what_the_official_script_prints(name: str) -> None:
    responses, labels = log(*LOGS[name])
    found = auc.score(responses, labels.__getitem__, {"grouped": name == "grouped"})
    printed = "AUC={:.3f}%, accuracy={accuracy:.3f}%, good={good}, total={total}, queries={queries}"
    assert printed.format(found.value, **found.details) == OFFICIAL[name]
    assert found.n == len(labels)


def test_the_interval_is_delongs() -> None:
    """As the placements of each score, compared one by one, give it."""
    responses, labels = log([1] * 60, 1, 3)
    scores, truths = np.concatenate(list(responses.values())), np.concatenate(labels)
    high, low = scores[truths == 1], scores[truths == 0]
    wins: Array = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    variance = wins.mean(1).var(ddof=1) / len(high) + wins.mean(0).var(ddof=1) / len(low)
    found = auc.score(responses, labels.__getitem__, {"grouped": False})
    half = 100 * 1.959963984540054 * variance**0.5
    assert found.interval == pytest.approx((found.value - half, min(100.0, found.value + half)))


def test_dependent_scores_widen_the_interval() -> None:
    """Scores that are there six times tell no more than once; taken for independent ones, they seem to."""
    responses, labels = log([1] * 60, 3, 4)
    once = auc.score(responses, labels.__getitem__, {"grouped": False})
    repeated = {index: np.repeat(row, 6) for index, row in responses.items()}
    grouped = auc.score(repeated, lambda index: labels[index] * 6, {"grouped": True})
    rows = [row for row in repeated.values() for row in row[:, None]]
    apart = auc.score(dict(enumerate(rows)), lambda index: labels[index // 6], {"grouped": False})
    assert once.value == pytest.approx(grouped.value)
    assert once.value == pytest.approx(apart.value)
    assert grouped.interval == pytest.approx(once.interval)
    assert apart.interval is not None
    assert once.interval is not None
    assert apart.interval[1] - apart.interval[0] < 0.5 * (once.interval[1] - once.interval[0])


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        ([0.1, 0.2], [1, 1], "every label is 1"),
        ([0.1, 0.2], [1, 2], "a label is .2., and must be 0 or 1"),
        ([0.1, 0.2], [1, "cat"], "must be 0 or 1"),
        ([0.1, 0.2], [1, [0, 1]], "1 scores and 2 labels"),
        ([0.1, float("nan")], [1, 0], "not finite"),
        ([0.1], [None], "no sample of the data set has a label"),
    ],
)
def test_auc_refuses_what_has_no_area(scores: list[float], labels: list[Any], said: str) -> None:
    responses = {index: np.array([score], np.float32) for index, score in enumerate(scores)}
    with pytest.raises(RunError, match=said):
        auc.score(responses, labels.__getitem__, {"grouped": False})


def test_perfect_order_has_no_interval() -> None:
    responses = {index: np.array([index], np.float32) for index in range(4)}
    found = auc.score(responses, [0, 0, 1, 1].__getitem__, {"grouped": False})
    assert (found.value, found.interval) == (100.0, None)


def test_mse_is_scikit_learns() -> None:
    rng = np.random.default_rng(5)
    truths = rng.normal(0, 2, 80)
    found = (truths + rng.normal(0, 1, 80)).astype(np.float32)
    score = regression.score(dict(enumerate(found[:, None])), truths.tolist().__getitem__, {})
    assert score.value == pytest.approx(metrics.mean_squared_error(truths, found))
    assert score.details == pytest.approx(
        {
            "rmse": metrics.root_mean_squared_error(truths, found),
            "mae": metrics.mean_absolute_error(truths, found),
            "r2": metrics.r2_score(truths, found),
        }
    )
    errors = (found - truths) ** 2
    assert score.interval == pytest.approx(stats.t.interval(0.95, 79, errors.mean(), stats.sem(errors)))


@pytest.mark.parametrize(("label", "said"), [("x", "a label is 'x'"), (None, "no sample of the data set")])
def test_mse_needs_numbers(label: object, said: str) -> None:
    with pytest.raises(RunError, match=said):
        regression.score({0: np.zeros(1, np.float32)}, lambda index: label, {})


def test_mse_of_one_sample_or_of_equal_labels() -> None:
    responses = {index: np.array([index], np.float32) for index in range(2)}
    alone = regression.score({0: responses[0]}, lambda index: 2, {})
    assert (alone.value, alone.interval) == (4.0, None)
    both = regression.score(responses, lambda index: 1, {})
    assert both.details == {"rmse": 0.5**0.5, "mae": 0.5}
    assert both.interval is not None
    assert both.interval[0] == 0.0
