"""LoadGen's logs as LoadGen really writes them: its keys, its verdicts, its errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import RunError
from mlharness.loadgen_log import DETAIL_LOG, LoadGenLog, read_log
from mlharness.plan import SCENARIOS
from mlharness.result import ended_early
from tests.unit.runner.tiny_loadgen import run_tiny

SUMMARY = {
    "Server": r"Completed samples per second\s*: ([\d.]+)",
    "Offline": r"Samples per second: ([\d.e+]+)",
}
FIGURES = {
    "SingleStream": ("early_stopping_latency_ss", "ns"),
    "MultiStream": ("early_stopping_latency_ms", "ns"),
    "Server": ("result_completed_samples_per_sec", "samples/s"),
    "Offline": ("result_samples_per_second", "samples/s"),
}


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A VALID log of every scenario."""
    base = tmp_path_factory.mktemp("valid")
    return {scenario: run_tiny(base / scenario, scenario) for scenario in SCENARIOS}


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A log of every stream, and of Offline, that ended before its least duration."""
    base = tmp_path_factory.mktemp("early")
    scenarios = ("SingleStream", "MultiStream", "Offline")
    return {scenario: run_tiny(base / scenario, scenario, min_duration_ms=2000) for scenario in scenarios}


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> LoadGenLog:
    """A Server log in which every query was late."""
    return read_log(run_tiny(tmp_path_factory.mktemp("late") / "Server", "Server", server_target_latency_ns=1))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_valid_test_has_its_scenarios_figure(valid: dict[str, Path], scenario: str) -> None:
    log = read_log(valid[scenario])
    assert log.valid
    assert log.invalid_reasons() == []
    assert (log.error_count, log.errors) == (0, ())
    figure = log.figure(scenario)
    assert (figure.name, figure.unit) == FIGURES[scenario]
    assert figure.value > 0
    assert not figure.plain
    assert not ended_early(log)


@pytest.mark.parametrize("scenario", SUMMARY)
def test_the_figure_is_that_of_loadgens_summary(valid: dict[str, Path], scenario: str) -> None:
    summary = (valid[scenario] / "mlperf_log_summary.txt").read_text()
    found = re.search(SUMMARY[scenario], summary)
    assert found is not None, summary
    assert read_log(valid[scenario]).figure(scenario).value == pytest.approx(float(found[1]), rel=1e-2)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_latencies_are_in_order_and_those_of_the_summary(valid: dict[str, Path], scenario: str) -> None:
    found = read_log(valid[scenario]).latencies(scenario)
    names = ["min", "p50", "p90", "p95", "p97", "p99", "p99.9", "max"]
    assert set(found) == {*names, "mean"}
    values = [found[name] for name in names]
    assert values == sorted(values)
    assert found["min"] <= found["mean"] <= found["max"]
    summary = (valid[scenario] / "mlperf_log_summary.txt").read_text()
    for name, label in (("p50", "50.00 percentile latency"), ("mean", "Mean latency"), ("max", "Max latency")):
        shown = re.search(rf"{re.escape(label)} \(ns\)\s*: (\d+)", summary)
        assert shown is not None, summary
        assert found[name] == float(shown[1])


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream", "Offline"])
def test_a_test_that_ended_early(early: dict[str, Path], scenario: str) -> None:
    log = read_log(early[scenario])
    assert not log.valid
    assert ended_early(log)
    reasons = log.invalid_reasons()
    assert reasons[0] == "minimum duration not met"
    assert any(reason.startswith("LoadGen says: ") for reason in reasons)
    assert not any("Run successful" in reason for reason in reasons)


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream"])
def test_loadgens_errors_are_kept_in_its_words(early: dict[str, Path], scenario: str) -> None:
    log = read_log(early[scenario])
    assert log.error_count == len(log.errors) == 1
    assert "Ran out of generated queries" in log.errors[0]


def test_late_queries(late: LoadGenLog) -> None:
    assert not late.valid
    assert not ended_early(late), "a longer test would not help"
    assert late.invalid_reasons()[:2] == ["latency limit not met", "early stopping not satisfied"]
    advice = [reason for reason in late.invalid_reasons() if reason.startswith("LoadGen says")]
    assert "Reduce target QPS" in advice[0]
    assert late.figure("Server").value > 0


@pytest.mark.parametrize(("scenario", "percentile"), [("SingleStream", "p90"), ("MultiStream", "p99")])
def test_without_early_stoppings_estimate_the_plain_percentile_is_marked(
    tmp_path: Path, scenario: str, percentile: str
) -> None:
    log = read_log(run_tiny(tmp_path / "few", scenario, min_query_count=20, max_query_count=20))
    figure = log.figure(scenario)
    assert figure.plain
    assert figure.value == log.latencies(scenario)[percentile]
    assert "early stopping not satisfied" in log.invalid_reasons()


def test_an_accuracy_log_has_no_verdict_and_no_figure(tmp_path: Path) -> None:
    log = read_log(run_tiny(tmp_path / "accuracy", "Offline", "AccuracyOnly"))
    assert log.error_count == 0
    with pytest.raises(RunError, match="result_samples_per_second"):
        log.figure("Offline")


def test_a_missing_log(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=rf"{DETAIL_LOG} cannot be read"):
        read_log(tmp_path)


@pytest.mark.parametrize("keep", ["half a line", "no results"])
def test_a_log_that_is_cut_off(valid: dict[str, Path], tmp_path: Path, keep: str) -> None:
    text = (valid["Offline"] / DETAIL_LOG).read_text()
    cut = text[: len(text) - 40] if keep == "half a line" else text[: text.index(':::MLLOG {"key": "result_validity"')]
    (tmp_path / DETAIL_LOG).write_text(cut)
    with pytest.raises(RunError):
        read_log(tmp_path).figure("Offline")


def test_what_is_no_log_line_is_passed_over_and_the_last_value_counts(tmp_path: Path) -> None:
    entries = [entry("result_validity", "INVALID"), "some framework's chatter", entry("result_validity", "VALID")]
    (tmp_path / DETAIL_LOG).write_text("\n".join(entries))
    assert read_log(tmp_path).valid


def entry(key: str, value: Any, is_error: bool = False) -> str:
    return ":::MLLOG " + json.dumps({"key": key, "value": value, "metadata": {"is_error": is_error}})


def test_an_invalid_run_always_has_a_reason() -> None:
    assert LoadGenLog({"result_validity": "INVALID"}, ()).invalid_reasons() == ["LoadGen calls the run INVALID"]
    assert LoadGenLog({}, ()).invalid_reasons() == ["LoadGen calls the run INVALID"]


def test_errors_are_counted_where_loadgen_could_not_count_them() -> None:
    assert LoadGenLog({}, ("a", "b")).error_count == 2
