"""What people read of a result: the verdict first, the figure in its own words, and nothing that is not so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness.cli.output import Output
from mlharness.cli.summary import accuracy, figure, headline, level_cost, rows, setup, show_result, traced
from mlharness.measuring import Measured
from mlharness.result import Findings, make_result
from mlharness.system import describe_system
from mlharness.wording import milliseconds
from tests.unit.runner.making import a_metric, a_plan
from tests.unit.runner.measurements import a_measured

RUN = Path("20260101T000000Z-tiny-Offline-abcdef")
SCORE = {"value": 91.5, "unit": "%", "n": 200, "interval": [87.0, 95.0], "details": {"top5": 97.5}}


def result(plan: dict[str, Any] | None = None, **findings: Any) -> dict[str, Any]:
    return make_result(a_plan(**(plan or {})), RUN, Findings(**findings), describe_system(), "then", "now")


def done(**values: Any) -> Measured:
    return a_measured(RUN, **values)


def invalid() -> Measured:
    return done(result_validity="INVALID", result_min_queries_met=False)


@pytest.mark.parametrize(
    ("findings", "rules", "verdict"),
    [
        ({"performance": done()}, "quick", "VALID (quick)"),
        ({"performance": done()}, "mlperf", "VALID"),
        ({"performance": invalid()}, "quick", "INVALID (quick)"),
        ({"failure": "boom"}, "mlperf", "FAILED"),
        ({"interrupted": True}, "mlperf", "INTERRUPTED"),
    ],
)
def test_the_headline_is_what_and_the_verdict(findings: dict[str, Any], rules: str, verdict: str) -> None:
    assert headline(result({"test": {"rules": rules}}, **findings)) == f"tiny on null, cpu, Offline: {verdict}"


@pytest.mark.parametrize(
    ("scenario", "values", "shown"),
    [
        ("Offline", {}, ("samples a second", "101.50 samples/s")),
        ("Server", {}, ("completed samples a second", "99.00 samples/s")),
        ("SingleStream", {}, ("90th percentile latency (early stopping)", "2.5 us")),
        ("SingleStream", {"early_stopping_met": False}, ("90th percentile latency (plain)", "2.0 us")),
    ],
)
def test_figures_are_named_as_what_they_are(scenario: str, values: dict[str, Any], shown: tuple[str, str]) -> None:
    assert shown in list(rows(result({"test": {"scenario": scenario}}, performance=done(**values))))


def test_a_figure_by_mlperfs_rules_says_that_nobody_verified_it() -> None:
    assert figure(result({"test": {"rules": "mlperf"}}, performance=done())) == (
        "101.50 samples/s (unverified: not verified by MLCommons)"
    )


def test_a_failed_run_shows_why_and_no_figure() -> None:
    shown = dict(rows(result(performance=done(), failure="the runner was killed")))
    assert shown["why"] == "the runner was killed"
    assert set(shown) == {"why", "set up"}


def test_one_query_is_not_called_many() -> None:
    many, one = (dict(rows(result(performance=done(result_query_count=n)))) for n in (100, 1))
    assert many["completed"] == "200 samples in 100 queries, 1.5 s"
    assert one["completed"] == "200 samples in one query"


@pytest.mark.parametrize(
    ("scenario", "instances", "unit"),
    [
        ("Offline", 1, "500.0 us a sample, with LoadGen's completion call"),
        ("Server", 2, "1000.0 us a query, summed over 2 instances, with LoadGen's completion call"),
    ],
)
def test_the_harness_cost(scenario: str, instances: int, unit: str) -> None:
    plan = {"test": {"scenario": scenario}, "host": {"instances": instances}}
    assert dict(rows(result(plan, performance=done())))["harness"] == unit
    with_floor = dict(rows(result(plan, performance=done(), null_floor_us=3.25)))
    assert with_floor["harness"] == f"{unit} (null floor 3.2 us)"


@pytest.mark.parametrize(
    ("target", "interval", "details", "text"),
    [
        (90.0, (87.0, 95.0), {}, "top1 91.50 %, n = 200, 95 % interval 87.00 to 95.00, target 90: met"),
        (92.0, None, {}, "top1 91.50 %, n = 200, target 92: NOT met"),
        (None, None, {"top5": 97.52, "top10": 99.0}, "top1 91.50 %, n = 200 (top5 97.52, top10 99), no target"),
    ],
)
def test_accuracy(
    target: float | None, interval: tuple[float, float] | None, details: dict[str, float], text: str
) -> None:
    plan = {"metric": a_metric(target=target), "test": {"mode": "accuracy"}}
    found = result(plan, accuracy=done(), score={**SCORE, "interval": interval, "details": details})
    assert accuracy(found["accuracy"]) == text
    assert "latency" not in dict(rows(found))


def test_accuracy_without_a_unit_has_five_digits() -> None:
    plan = {"metric": a_metric(target=0.853083), "test": {"mode": "accuracy"}}
    score = {**SCORE, "value": 0.8617, "unit": "", "interval": (0.84, 0.8712345), "details": {}}
    found = result(plan, accuracy=done(), score=score)
    shown = accuracy(found["accuracy"])
    assert "0.86170, n = 200, 95 % interval 0.84000 to 0.87123, target 0.853083: met" in shown


def test_the_set_up() -> None:
    plan: dict[str, Any] = {"batching": (16, 0), "host": {"instances": 3, "threads": 2}}
    shown = setup(result(plan, performance=done()))
    assert shown.startswith("null 1.2, 3 x 2 threads, batch 16, zeros (8 samples), ")
    assert setup(result(failure="boom")).startswith("null, 2 x 1 threads, batch 4, zeros, ")
    assert setup({**result(failure="boom"), "system": {}}).endswith(", zeros")


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0.0 us"),
        (1234, "1.2 us"),
        (999_949, "999.9 us"),
        (1e6, "1.000 ms"),
        (12_345_678, "12.346 ms"),
        (2.5e9, "2.500 s"),
    ],
)
def test_latencies_are_in_a_unit_that_reads_easily(nanoseconds: float, text: str) -> None:
    assert milliseconds(nanoseconds) == text


class TestPrinting:
    """On stdout, warnings apart."""

    def test_the_verdict_is_the_first_line_and_the_directory_the_last(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        directory = tmp_path / ("deep" * 40) / RUN.name
        show_result(Output(), result(performance=done(), warnings=["mind this"]), directory)
        printed = capsys.readouterr()
        lines = printed.out.splitlines()
        assert lines[0] == "tiny on null, cpu, Offline: VALID (quick)"
        assert lines[-1] == f"run{' ' * (lines[-1].index('/') - 3)}{directory}", "a path stays whole"
        assert printed.err == "warning: mind this\n"

    def test_quiet_keeps_the_result(self, capsys: pytest.CaptureFixture[str]) -> None:
        show_result(Output(quiet=True), result(performance=done(), warnings=["mind this"]), RUN)
        printed = capsys.readouterr()
        assert printed.out
        assert printed.err == ""

    def test_several_reasons_are_a_line_each_and_steer_no_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        noisy = done(errors=("\x1b[31mred",))
        show_result(Output(), result(performance=noisy, failure="first [bold]reason[/bold]"), RUN)
        printed = capsys.readouterr().out
        assert "first [bold]reason[/bold]" in printed
        assert "\\x1b[31mred" in printed
        assert "\x1b" not in printed

    @pytest.mark.parametrize("status", ["valid", "invalid", "failed", "interrupted"])
    def test_every_status_can_be_printed(self, status: str, capsys: pytest.CaptureFixture[str]) -> None:
        show_result(Output(), {**result(performance=done()), "status": status}, RUN)
        assert status.upper() in capsys.readouterr().out


LEVEL = {"state": "recorded", "spans": 12_000, "readings": 0, "reasons": []}
MISSING = {
    "state": "missing",
    "spans": 0,
    "readings": 0,
    "reasons": ["no performance counters in this virtual machine"],
}


def test_a_trace_says_what_it_has_and_what_not_and_what_it_cost() -> None:
    found = {
        "levels": {"model": LEVEL, "hardware": MISSING}, "failure": "",
        "slowdown": {"figure": "p50", "untraced": 1.0, "traced": 1.2, "percent": 20.0},
    }  # fmt: skip
    ((name, text),) = traced(found)
    assert name == "trace"
    assert text.splitlines() == [
        "spans: model 12,000",
        "hardware: missing (no performance counters in this virtual machine)",
        "the traced run was slower by 20.0 %; the figure is of the one before it",
    ]


def test_a_trace_that_failed_says_why() -> None:
    found: dict[str, Any] = {"levels": {}, "failure": "the traced run failed: killed", "slowdown": None}
    assert next(traced(found)) == ("trace", "the traced run failed: killed")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "up to model: +1.2 % (95 % interval +0.9 to +1.5), of which it adds +0.5 % (one round)"),
        ({"missing": "no plugin"}, "model: no plugin"),
        ({"overhead": None}, "model: its runs failed"),
    ],
)
def test_what_each_level_cost(fields: dict[str, Any], text: str) -> None:
    known = {
        "levels": ["application", "model"], "missing": "",
        "overhead": {"percent": 1.2, "interval": [0.9, 1.5], "rounds": 5},
        "added": {"percent": 0.5, "interval": None, "rounds": 1},
    }  # fmt: skip
    assert level_cost({**known, **fields}) == text
