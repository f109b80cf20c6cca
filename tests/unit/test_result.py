"""Results: the status says what happened, figures are LoadGen's, and a run that failed has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlharness.measuring import Measured
from mlharness.plan import PlannedWish, RunPlan
from mlharness.result import Findings, ended_early, make_result, version_warnings
from mlharness.rundir import UNVERIFIED
from mlharness.system import describe_system
from tests.unit.runner.making import a_metric, a_plan
from tests.unit.runner.measurements import a_measured

RUN = Path("20260101T000000Z-tiny-Offline-abcdef")
SCORE = {"value": 91.5, "unit": "%", "n": 200, "interval": [87.0, 95.0], "details": {"top5": 97.5}}


def result(plan: RunPlan | None = None, **findings: Any) -> dict[str, Any]:
    return make_result(plan or a_plan(), RUN, Findings(**findings), describe_system(), "then", "now")


def invalid(**values: Any) -> Measured:
    return a_measured(RUN, result_validity="INVALID", result_min_queries_met=False, **values)


def test_a_valid_run() -> None:
    found = result(performance=a_measured(RUN), null_floor_us=3.5)
    assert (found["status"], found["invalid_reasons"]) == ("valid", [])
    assert found["metric"] == {"name": "result_samples_per_second", "value": 101.5, "unit": "samples/s", "plain": False}
    assert (found["samples"], found["queries"], found["duration_s"]) == (200, 100, 1.5)
    assert found["run_id"] == RUN.name
    assert found["plan_sha256"] == a_plan().sha256
    assert found["dataset"]["loaded"] == found["dataset"]["count"] == 8
    assert found["framework"]["version"] == "1.2"


def test_an_invalid_run_has_its_figure_and_says_why() -> None:
    found = result(performance=invalid())
    assert found["status"] == "invalid"
    assert found["invalid_reasons"] == ["minimum number of queries not met"]
    assert found["metric"]["value"] == 101.5


@pytest.mark.parametrize(
    ("change", "status"), [({"failure": "boom"}, "failed"), ({"interrupted": True}, "interrupted")]
)
@pytest.mark.parametrize("measured", [None, a_measured(RUN), invalid()])
def test_no_figure_of_a_run_that_did_not_end(change: dict[str, Any], status: str, measured: Measured | None) -> None:
    found = result(performance=measured, **change)
    assert found["status"] == status
    for key in ("metric", "latency_ns", "samples", "queries", "duration_s"):
        assert found[key] is None, key
    assert found["harness"]["us_per_query"] is None
    assert found["invalid_reasons"][0] in ("boom", "interrupted by the user")


def test_interrupted_wins_over_failed() -> None:
    assert result(failure="boom", interrupted=True)["status"] == "interrupted"


@pytest.mark.parametrize("test", ["performance", "accuracy"])
def test_errors_that_loadgen_noted_make_any_run_invalid(test: str) -> None:
    noisy = a_measured(RUN, errors=("bad id", "worse id"))
    found = result(a_plan(metric=a_metric(), test={"mode": "both"}), **{test: noisy}, score=SCORE)
    assert found["status"] == "invalid"
    assert found["errors"] == 2
    assert found["invalid_reasons"] == ["LoadGen noted 2 errors: bad id; worse id"]


def test_both_modes_take_the_worse_verdict_and_add_errors_up() -> None:
    found = result(
        a_plan(metric=a_metric(target=90.0), test={"mode": "both"}),
        performance=invalid(),
        accuracy=a_measured(RUN, errors=("bad id",)),
        score=SCORE,
    )
    assert found["status"] == "invalid"
    assert len(found["invalid_reasons"]) == 2
    assert found["errors"] == 1
    assert found["accuracy"]["passed"] is True


def test_accuracy_mode_has_no_figure_and_no_verdict_of_loadgens() -> None:
    """LoadGen gives none on an accuracy run: its log has no result_validity."""
    silent = a_measured(RUN, result_validity=None)
    found = result(a_plan(metric=a_metric(target=90.0), test={"mode": "accuracy"}), accuracy=silent, score=SCORE)
    assert found["status"] == "valid"
    assert found["metric"] is None
    assert found["calibration"] is None
    assert found["accuracy"] == {"metric": "top1", **SCORE, "target": 90.0, "passed": True}
    assert found["dataset"]["loaded"] == 8


@pytest.mark.parametrize(
    ("target", "higher", "passed"),
    [(91.5, True, True), (91.6, True, False), (91.5, False, True), (91.4, False, False), (None, True, None)],
)
def test_targets(target: float | None, higher: bool, passed: bool | None) -> None:
    metric = a_metric(target=target, higher_is_better=higher)
    found = result(a_plan(metric=metric, test={"mode": "accuracy"}), accuracy=a_measured(RUN), score=SCORE)
    assert found["accuracy"]["passed"] is passed


def test_what_a_reader_must_know() -> None:
    plain = a_measured(RUN, early_stopping_met=False)
    found = result(
        a_plan(model={"weights": "random"}, test={"scenario": "SingleStream"}), performance=plain, warnings=["mine"]
    )
    assert [warning.partition(":")[0] for warning in found["warnings"]] == [
        "random weights", "early stopping gave no estimate", "mine",
    ]  # fmt: skip
    assert found["metric"]["plain"]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (PlannedWish("null", "", "0.9"), ["the model was written for null 0.9, and this is 1.0"]),
        (PlannedWish("null", "", "1.0"), []),
        (PlannedWish("torch", "", "0.9"), []),
        (PlannedWish("null", ">=0.9"), []),
    ],
)
def test_another_version_than_the_model_was_written_for(wish: PlannedWish, said: list[str]) -> None:
    plan = a_plan()
    plan = replace(plan, framework=replace(plan.framework, name="null", manifest=wish))
    assert version_warnings(plan, "1.0") == said
    assert version_warnings(plan, None) == []


def test_only_figures_by_mlperfs_rules_are_called_unverified() -> None:
    assert result(a_plan(test={"rules": "mlperf"}), performance=a_measured(RUN))["unverified"] == UNVERIFIED
    assert result(performance=a_measured(RUN))["unverified"] is None


@pytest.mark.parametrize(("scenario", "us"), [("Offline", 500.0), ("SingleStream", 1000.0)])
def test_the_harness_cost_is_per_sample_offline_and_per_query_elsewhere(scenario: str, us: float) -> None:
    harness = result(a_plan(test={"scenario": scenario}), performance=a_measured(RUN), null_floor_us=3.5)["harness"]
    assert harness["us_per_query"] == pytest.approx(us)
    assert harness["predict_us_per_query"] == pytest.approx(5 * us)
    assert harness["samples_per_batch"] == 4.0
    assert harness["null_floor_us"] == 3.5


def test_the_calibration_keeps_what_a_search_tried() -> None:
    trials = [{"purpose": "trial", "target_qps": 1.0, "queries": 5, "valid": True, "p99_latency_ns": None}]
    found = result(performance=a_measured(RUN), trials=trials)["calibration"]
    assert found["trials"] == trials
    assert found["query_latency_ns"] == 2000
    assert found["settings"]["server_target_qps"] == 1.0


def test_a_run_that_ended_before_its_host_was_described_has_a_result() -> None:
    found = make_result(a_plan(), RUN, Findings(interrupted=True), {}, "then", "now")
    assert found["status"] == "interrupted"
    assert found["system"] == {}


@pytest.mark.parametrize(
    ("values", "early"),
    [
        ({"result_validity": "VALID"}, False),
        ({"result_min_duration_met": False}, True),
        ({"result_min_duration_met": False, "result_perf_constraints_met": True}, True),
        ({"result_min_duration_met": False, "result_perf_constraints_met": False}, False),
        ({"result_min_duration_met": True, "result_min_queries_met": False}, False),
    ],
)
def test_only_a_run_that_was_too_short_is_worth_another(values: dict[str, Any], early: bool) -> None:
    assert ended_early(a_measured(RUN, **{"result_validity": "INVALID", **values}).log) is early


@pytest.mark.parametrize(
    ("count", "warned"), [(9, ["--count 9: the data set has 8 samples, and all are used"]), (8, []), (None, [])]
)
def test_more_samples_than_there_are(count: int | None, warned: list[str]) -> None:
    plan = a_plan(dataset=replace(a_plan().dataset, count=count))
    assert result(plan, performance=a_measured(RUN))["warnings"] == warned
