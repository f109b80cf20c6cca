"""When a run is reproduced, and what is said when it is not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mlharness.bundling.judging import judge
from mlharness.comparing.runs import Run
from tests.unit.comparing.making import SCORE, a_run, noisy
from tests.unit.runner.making import a_metric, a_plan

BOTH = a_plan(test={"scenario": "SingleStream", "mode": "both"}, metric=a_metric(target=80.0))


def runs(*factors: float, **kw: Any) -> list[Run]:
    return [a_run(number, factor, **kw) for number, factor in enumerate(factors, start=2)]


@pytest.mark.parametrize(
    ("factor", "within", "holds"),
    [(1.0, 0.0, True), (1.09, 0.1, True), (1 / 1.09, 0.1, True), (1.11, 0.1, False), (1 / 1.11, 0.1, False)],
)
def test_a_figure_may_be_as_far_away_as_was_asked_in_both_directions(factor: float, within: float, holds: bool) -> None:
    found = judge(a_run(), runs(factor), within)
    assert found["reproduced"] is holds
    assert found["metrics"][0]["ratio"] == pytest.approx(factor)
    assert found["metrics"][0]["interval"] is None, "one run has none"
    assert found["reasons"] == (
        [] if holds else [f"early_stopping_latency_ss is {100 * (factor - 1):+.1f} % against the bundle"]
    )


def test_other_latencies_are_told_and_decide_nothing() -> None:
    far = a_run(2, changes={"latency_ns.p99": 9e9})
    found = judge(a_run(), [far], 0.1)
    assert found["reproduced"]
    assert [metric["name"] for metric in found["metrics"] if not metric["holds"]] == ["p99"]


def test_five_runs_give_an_interval_in_which_one_more_would_lie() -> None:
    """Held against the formula of a prediction interval, worked out here."""
    factors = noisy(6, 0.05, seed=3)
    low, high = judge(a_run(), runs(*factors), 0.5)["metrics"][0]["interval"]
    logs = [math.log(factor) for factor in factors]
    mean = sum(logs) / 6
    spread = math.sqrt(sum((log - mean) ** 2 for log in logs) / 5)
    half = 2.570582 * spread * math.sqrt(1 + 1 / 6)  # Student's t of 5 degrees of freedom at 97.5 %
    assert (low, high) == pytest.approx((math.exp(mean - half), math.exp(mean + half)), rel=1e-5)


def test_the_interval_holds_one_more_run_of_the_same_kind_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        bundle, *made = noisy(6, 0.05, seed)
        low, high = judge(a_run(1, bundle), runs(*made), 1.0)["metrics"][0]["interval"]
        held += low <= 1 <= high
    assert 0.92 < held / 200 < 0.98


def test_other_outputs_are_no_reproduction() -> None:
    other = a_run(2, changes={"fingerprint.sha256": "f" * 64, "fingerprint.sketch": [[9.0, 9.0, 9.0]] * 4})
    (reason,) = judge(a_run(), [other], 0.5)["reasons"]
    assert reason.startswith("outputs: the outputs on the same samples differ from those of the bundle")
    rounded = a_run(2, changes={"fingerprint.sha256": "f" * 64})
    assert judge(a_run(), [rounded], 0.5)["reproduced"]


def test_an_invalid_run_does_not_reproduce_a_valid_one() -> None:
    broken = a_run(2, changes={"status": "invalid", "invalid_reasons": ["too short"]})
    (reason,) = judge(a_run(), [broken], 0.5)["reasons"]
    assert reason.endswith("is invalid, and the bundle's is valid: too short")
    assert judge(a_run(1, changes={"status": "invalid"}), [broken], 0.5)["reproduced"]


def test_a_run_that_failed_is_no_reproduction() -> None:
    gone: dict[str, Any] = dict.fromkeys(("metric", "latency_ns", "accuracy", "fingerprint"))
    failed = a_run(2, changes={**gone, "status": "failed", "invalid_reasons": ["the runner was killed"]})
    found = judge(a_run(), [failed], 0.5)
    assert (found["reproduced"], found["metrics"]) == (False, [])
    assert found["reasons"][0].endswith("is failed, and the bundle's is valid: the runner was killed")


@pytest.mark.parametrize(
    ("score", "reasons"),
    [
        (SCORE, 0),
        ({**SCORE, "value": 90.4}, 0),
        ({**SCORE, "value": 88.9, "interval": [86.8, 91.0]}, 1),
        ({**SCORE, "value": 70.0, "interval": [67.0, 73.0]}, 2),
        ({**SCORE, "value": 90.5, "interval": None}, 0),
        ({**SCORE, "value": 92.0, "interval": None}, 1),
    ],
)
def test_the_accuracy_is_the_same(score: dict[str, Any], reasons: int) -> None:
    found = judge(a_run(plan=BOTH, score=SCORE), [a_run(2, plan=BOTH, score=score)], 0.1)
    assert len(found["reasons"]) == reasons
    assert found["accuracy"]["difference"] == pytest.approx(score["value"] - 90.0)


def test_what_differs_is_told_without_making_it_another_run() -> None:
    other = a_run(2, changes={"system.host": "south", "framework.threads": 4})
    found = judge(a_run(), [other], 0.1)
    assert found["reproduced"]
    assert {(one["name"], one["bundle"], one["here"]) for one in found["differences"]} == {
        ("host", "north", "south"), ("threads", 1, 4)
    }  # fmt: skip


def test_other_data_is_another_run() -> None:
    (reason,) = judge(a_run(), [a_run(2, changes={"dataset.count": 7})], 0.1)["reasons"]
    assert reason == "data: other data (samples)"
