"""The page of a run, whatever became of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlharness import telemetry
from mlharness.errors import UserError
from mlharness.reporting.page import Section
from mlharness.reporting.rendering import render
from mlharness.reporting.run import run_page
from mlharness.result import Findings, make_result
from mlharness.telemetry import Sample
from tests.unit.reporting.reading import HOSTILE, Read, read
from tests.unit.runner.making import a_metric, a_plan
from tests.unit.runner.measurements import a_measured

NAME = "20260101T000000Z-tiny-SingleStream-abcdef"
THEN = "2026-01-01T00:00:00.000+00:00"
SYSTEM: dict[str, Any] = {
    "host": "desk", "cpu": {"model": "CPU One", "usable_cores": [0, 1], "flags": ["avx2"]}, "memory_bytes": 8 << 30,
    "os": "Debian", "virtualised": True, "packages": {"numpy": "2.1", "zebra": "1.0"},
}  # fmt: skip
SCORE = {"value": 91.5, "unit": "%", "n": 200, "interval": [87.0, 95.0], "details": {"top5": 97.5}}
Change = Callable[[dict[str, Any]], None]


pytestmark = pytest.mark.usefixtures("no_library")


def write(folder: Path, change: Change = lambda result: None, name: str = NAME, **findings: Any) -> Path:
    """A run directory with all documents."""
    directory = folder / name
    directory.mkdir()
    plan = a_plan(test={"scenario": "SingleStream"}, metric=a_metric(target=90.0), labels={"who": "ci"})
    found = {"performance": a_measured(directory), "null_floor_us": 3.5, **findings}
    result = make_result(plan, directory, Findings(**found), SYSTEM, THEN, THEN)
    change(result)
    for file, document in (("plan", plan.document()), ("system", SYSTEM), ("result", result)):
        (directory / f"{file}.json").write_text(json.dumps(document), "utf-8")
    return directory


def page_of(directory: Path) -> Read:
    return read(run_page(directory))


def test_a_valid_run_has_its_figure_its_percentiles_and_what_it_stands_on(tmp_path: Path) -> None:
    page = page_of(write(tmp_path))
    assert page.titles == [
        "verdict",
        "figures",
        "latency",
        "quality-and-cost",
        "reproduce",
        "system",
        "set-up",
        "environment",
    ]
    for words in ("VALID (quick)", "null 1.2", "2.5 us", "90th percentile latency (early stopping)", "CPU One",
                  "8.0 GiB", "25,557,032", "mlh bench /m/tiny.yaml \\\n    --framework null"):  # fmt: skip
        assert words in page.text, words
    [percentiles] = page.charts
    assert [row["ms"] for row in percentiles["data"]["values"]] == [0.002] * 8
    assert ["zebra", "1.0"] in page.rows


def test_an_invalid_run_says_why_and_what_to_change(tmp_path: Path) -> None:
    log: dict[str, Any] = {
        "result_validity": "INVALID", "result_min_queries_met": False, "effective_min_query_count": 300,
        "effective_scenario": "SingleStream", "result_qps_with_loadgen_overhead": 10.0,
    }  # fmt: skip
    directory = tmp_path / "runs"
    directory.mkdir()
    page = page_of(write(directory, performance=a_measured(directory, **log)))
    assert "INVALID (quick)" in page.text
    assert "minimum number of queries not met: 100 of 300, 200 too few" in page.text
    assert "--min-queries" in page.text
    assert "figures" in page.titles


@pytest.mark.parametrize(("findings", "word", "reason"), [
    ({"failure": "the model broke"}, "FAILED", "the model broke"),
    ({"interrupted": True}, "INTERRUPTED", "interrupted by the user"),
])  # fmt: skip
def test_a_run_without_a_figure_shows_its_log(tmp_path: Path, findings: Any, word: str, reason: str) -> None:
    directory = write(tmp_path, **findings)
    (directory / "runner.log").write_text("\n".join(f"line {number}" for number in range(50)) + "\n<b>boom", "utf-8")
    page = page_of(directory)
    assert word in page.text
    assert reason in page.text
    assert "<b>boom" in page.text
    assert "line 21" in page.text
    assert "line 20" not in page.text
    assert page.charts == []
    assert "figures" not in page.titles


def test_an_incomplete_run_has_a_page(tmp_path: Path) -> None:
    directory = write(tmp_path)
    (directory / "result.json").unlink()
    page = page_of(directory)
    assert "INCOMPLETE" in page.text
    assert "who" in page.text
    assert page.titles == ["verdict", "reproduce", "system", "environment"]
    (directory / "system.json").unlink()
    (directory / "plan.json").unlink()
    with pytest.raises(UserError, match="is no run directory: it has no plan"):
        run_page(directory)


@pytest.mark.parametrize("name", ["plan.json", "system.json", "labels.json"])
@pytest.mark.parametrize("text", ['{"cut', "[]"])
def test_a_damaged_file_is_told_and_the_page_made_without_it(tmp_path: Path, name: str, text: str) -> None:
    directory = write(tmp_path)
    (directory / name).write_text(text, "utf-8")
    page = page_of(directory)
    assert f"{name} is damaged" in page.text
    assert ("nobody can say what to type" in page.text) == (name == "plan.json")


def test_a_plan_of_another_form_is_damaged(tmp_path: Path) -> None:
    directory = write(tmp_path)
    (directory / "plan.json").write_text('{"model": {}}', "utf-8")
    assert "plan.json is damaged: Object missing required field" in page_of(directory).text


@pytest.mark.parametrize(("text", "message"), [
    ('{"cut', "is damaged"), ('{"schema_version": 99}', "schema_version 99"), ('{"schema_version": 1}', "is no result"),
])  # fmt: skip
def test_a_result_that_cannot_be_read_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    directory = write(tmp_path)
    (directory / "result.json").write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        run_page(directory)


def test_a_number_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a number in it is not finite"):
        run_page(write(tmp_path, lambda result: result["latency_ns"].update(p90=float("nan"))))


def test_a_result_against_its_schema_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not follow its schema"):
        run_page(write(tmp_path, lambda result: result.update(advice=None)))


def test_whatever_a_run_is_called_it_is_text(tmp_path: Path) -> None:
    def change(result: dict[str, Any]) -> None:
        result["model"]["name"] = result["framework"]["device"] = result["dataset"]["name"] = HOSTILE
        result["labels"] = {HOSTILE: HOSTILE}
        result["warnings"] = [HOSTILE]
        result["framework"]["options"] = {HOSTILE: HOSTILE}
        result["quality"] = {"grade": "C", "reasons": [HOSTILE], "samples": 9,
                             "stretches": [{"start_s": 1.0, "end_s": 2.0, "reasons": [HOSTILE]}]}  # fmt: skip

    name = "'\"><img src=x onerror=alert(1)> &amp;"
    directory = write(tmp_path, change, name, failure=HOSTILE)
    (directory / "runner.log").write_text(HOSTILE, "utf-8")
    telemetry.write_csv(directory / "telemetry.csv", [Sample(HOSTILE, float(n), n + 1.0, 0.5) for n in range(3)])
    page = page_of(directory)
    assert page.text.count(HOSTILE) >= 10
    assert name in page.text
    [host] = page.charts
    assert {row["phase"] for row in host["data"]["values"]} == {HOSTILE}


def test_throughput_and_host_over_time_with_contaminated_stretches(tmp_path: Path) -> None:
    stretch = {"start_s": 4.0, "end_s": 5.0, "reasons": ["other processes took 40 %"]}
    quality = {"grade": "C", "reasons": ["1.0 s of 4.0 s were contaminated"], "stretches": [stretch], "samples": 4}
    directory = write(tmp_path, lambda result: result.update(quality=quality, duration_s=3.9))
    samples = [Sample("load", 0.0, 1.0, 0.0, 0.0), Sample("measure", 1.0, 2.0, 0.0, 0.0, samples_s=1.0),
               Sample("floor", 2.0, 3.0, 0.0, 0.0)]  # fmt: skip
    samples += [Sample("measure", float(n), n + 1.0, 0.1 * n, 0.0, samples_s=100.0 + n) for n in range(3, 6)]
    telemetry.write_csv(directory / "telemetry.csv", [*samples, Sample("measure", 6.0, 7.0, 0.0, 0.0)])
    page = page_of(directory)
    throughput, host = page.charts[1:]
    assert [row["samples a second"] for row in throughput["data"]["values"]] == [103.0, 104.0, 105.0]
    assert [row["s"] for row in throughput["data"]["values"]] == [3.5, 4.5, 5.5]
    for chart in (throughput, host):
        assert chart["layer"][0]["data"]["values"] == [
            {"from": 4.0, "to": 5.0, "contaminated": "other processes took 40 %"}
        ]
    # nothing was stolen, of which a line would tell nothing; the last sample ends with a point of its own
    assert {row["lost to"] for row in host["data"]["values"]} == {"other processes (of the cores)"}
    assert host["data"]["values"][-1] == {**host["data"]["values"][-2], "s": 7.0}
    assert ["4.0 s", "5.0 s", "other processes took 40 %"] in page.rows


@pytest.mark.parametrize(("text", "told"), [
    ("a,b\n1,2\n", "telemetry.csv has other columns"),
    ("phase,start_s,end_s,steal\nmeasure,0,1,nan\nmeasure,1,2,0\n", "a number in it is not finite"),
    ("phase,start_s,end_s\nmeasure,0,x\n", "could not convert string to float"),
])  # fmt: skip
def test_damaged_telemetry_is_told(tmp_path: Path, text: str, told: str) -> None:
    directory = write(tmp_path)
    (directory / "telemetry.csv").write_text(text, "utf-8")
    page = page_of(directory)
    assert told in page.text
    assert "over-time" not in page.titles


@pytest.mark.parametrize(("value", "verdict"), [(91.5, "met"), (80.0, "not met")])
def test_accuracy_with_interval_and_target(tmp_path: Path, value: float, verdict: str) -> None:
    page = page_of(write(tmp_path, score={**SCORE, "value": value}))
    for words in (f"{value:.2f} %", "87.00 to 95.00", "90", verdict, "97.5"):
        assert words in page.text, words
    chart = page.charts[-1]
    assert chart["data"]["values"] == [{"low": 87.0, "high": 95.0, "value": value}]
    assert {"target": 90.0} in [layer["data"]["values"][0] for layer in chart["layer"] if "data" in layer]


def test_an_accuracy_without_an_interval_has_no_chart(tmp_path: Path) -> None:
    page = page_of(write(tmp_path, score={**SCORE, "interval": None}))
    assert "accuracy" in page.titles
    assert len(page.charts) == 1


def test_the_trials_of_a_search(tmp_path: Path) -> None:
    trials = [
        {"purpose": "trial", "target_qps": 50.0, "queries": 270, "valid": True, "p99_latency_ns": 4e6},
        {"purpose": "confirmation", "target_qps": 75.5, "queries": 1000, "valid": False, "p99_latency_ns": None},
    ]
    page = page_of(write(tmp_path, lambda result: result["calibration"].update(trials=trials)))
    assert ["1", "trial", "50", "270", "4.000 ms", "met"] in page.rows
    assert ["2", "confirmation", "75.5", "1,000", "", "not met"] in page.rows
    assert [row["queries a second"] for row in page.charts[-1]["data"]["values"]] == [50.0, 75.5]


def test_more_sections_stand_before_what_the_run_stands_on(tmp_path: Path) -> None:
    more = Section("Trace", render("note.html", text="spans", kind=""))
    titles = read(run_page(write(tmp_path), [more])).titles
    assert titles.index("quality-and-cost") < titles.index("trace") < titles.index("reproduce")


def test_figures_by_mlperfs_rules_are_said_to_be_unverified(tmp_path: Path) -> None:
    def change(result: dict[str, Any]) -> None:
        result.update(rules="mlperf", unverified="unverified: not verified by MLCommons")

    page = page_of(write(tmp_path, change))
    assert "unverified: not verified by MLCommons" in page.text
    assert "(quick)" not in page.text
