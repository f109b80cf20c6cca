"""Every figure of a result follows from its logs: one that was changed is found, whichever it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlharness.bundling.findings import Checks
from mlharness.bundling.recomputing import leaves, recompute
from tests.unit.bundling.making import told

STATED = ("started", "finished", "harness.null_floor_us")
"""All that nobody can recompute of a run without a trace, but for words."""


def checked(directory: Path) -> Checks:
    checks = Checks()
    recompute(directory, checks)
    return checks


def put(document: Any, path: str, value: Any) -> None:
    """Set the leaf of a path like ``a.b[0]``; keys may hold dots (``p99.9``)."""
    if path in document:
        document[path] = value
        return
    if path.startswith("["):
        place, _, rest = path[1:].partition("]")
        if not rest:
            document[int(place)] = value
            return
        put(document[int(place)], rest.removeprefix("."), value)
        return
    key = max((key for key in document if path.startswith((f"{key}.", f"{key}["))), key=len)
    rest = path[len(key) :]
    if rest.startswith("[") and "]" in rest and rest.endswith("]") and rest.count("[") == 1:
        document[key][int(rest[1:-1])] = value
        return
    put(document[key], rest.removeprefix("."), value)


def test_a_run_as_it_was_left_holds(made: Path) -> None:
    checks = checked(made)
    assert told(checks) == ""
    result = leaves(json.loads((made / "result.json").read_text()))
    assert set(checks.recomputed) | set(checks.stated) >= set(result)
    figures = {key for key, value in result.items() if isinstance(value, (int, float)) and not isinstance(value, bool)}
    assert {key for key in figures if key in checks.stated} == {"harness.null_floor_us"}
    assert {"metric.value", "latency_ns.p99.9", "accuracy.value", "harness.us_per_query", "samples"} <= figures


def test_every_figure_that_is_changed_is_found(made: Path, tmp_path: Path) -> None:
    """Also when it is changed by the least that a number can be, or becomes text, or nothing."""
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    original = (made / "result.json").read_text()
    tried, missed = 0, []
    for key, value in leaves(json.loads(original)).items():
        if not isinstance(value, (int, float)) or isinstance(value, bool) or key.startswith(STATED):
            continue
        for other in (value + 1, value * 1.000001 if value else 1e-9, str(value)):
            if other == value and isinstance(other, int):
                continue
            document = json.loads(original)
            put(document, key, other)
            assert leaves(document)[key] == other
            (copy / "result.json").write_text(json.dumps(document))
            tried += 1
            if checked(copy).hold:
                missed.append((key, value, other))
    assert missed == []
    assert tried > 200


@pytest.mark.parametrize(
    "key",
    ["status", "rules", "scenario", "mode", "run_id", "plan_sha256", "model.name", "model.manifest_sha256",
     "system.host", "framework.version", "framework.device", "fingerprint.sha256", "accuracy.metric", "metric.name",
     "dataset.name"],
)  # fmt: skip
def test_words_that_are_changed_are_found(run: Path, key: str) -> None:
    document = json.loads((run / "result.json").read_text())
    put(document, key, leaves(document)[key] + "x")
    (run / "result.json").write_text(json.dumps(document))
    assert key in told(checked(run))


def test_a_key_that_is_added_or_taken_away_is_found(run: Path) -> None:
    document = json.loads((run / "result.json").read_text())
    document["metric"]["bonus"] = 7
    del document["latency_ns"]["p50"]
    (run / "result.json").write_text(json.dumps(document))
    found = told(checked(run))
    assert "result.json: metric.bonus: it is 7, and the logs give not there" in found
    assert "result.json: latency_ns.p50: it is not there" in found


def test_a_warning_that_follows_from_the_run_must_stay(run: Path) -> None:
    plan = json.loads((run / "plan.json").read_text())
    plan["model"]["weights"] = "random"
    (run / "plan.json").write_text(json.dumps(plan))
    assert "this one is missing: random weights" in told(checked(run))


OF_ONE = {
    "performance/measured.json": ("prepared.fingerprint", "prepared.complexity", "measured.loaded"),
    "accuracy/measured.json": ("prepared.calibration", "prepared.settings", "prepared.switch", "measured.cost",
                               "measured.duration_s", "prepared.fingerprint.samples"),
    "accuracy/scored.json": (),
}  # fmt: skip
"""What a result tells of the other test, or of neither: it is in no figure."""


@pytest.mark.parametrize("file", OF_ONE)
def test_figures_of_the_runners_are_held_against_the_result(run: Path, file: str) -> None:
    original = json.loads((run / file).read_text())
    tried, missed = 0, []
    for key, value in leaves(original).items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or key.startswith(OF_ONE[file]):
            continue
        document = json.loads(json.dumps(original))
        put(document, key, value + 1)
        (run / file).write_text(json.dumps(document))
        tried += 1
        if checked(run).hold:
            missed.append(key)
    assert missed == []
    assert tried >= 4


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("plan.json", "{}"), ("plan.json", "[1]"), ("plan.json", "no JSON"), ("system.json", "{}"),
        ("result.json", "{}"), ("result.json", '{"quality": 3}'), ("performance/measured.json", "{}"),
        ("performance/mlperf_log_detail.txt", ":::MLLOG {"), ("performance/mlperf_log_detail.txt", ""),
        ("accuracy/mlperf_log_accuracy.json", "[{}]"), ("telemetry.csv", "phase\nmeasure\n"),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_a_finding_and_no_traceback(run: Path, file: str, text: str) -> None:
    (run / file).write_text(text)
    assert not checked(run).hold


@pytest.mark.parametrize("file", ["plan.json", "system.json", "performance/mlperf_log_summary.txt", "telemetry.csv"])
def test_a_file_that_is_gone_is_a_finding(run: Path, file: str) -> None:
    (run / file).unlink()
    assert not checked(run).hold


def test_the_grade_follows_from_the_telemetry(run: Path) -> None:
    grade = json.loads((run / "result.json").read_text())["quality"]["grade"]
    other = ["0.9", "0.9"] if grade < "D" else ["0.0", "0.0"]
    lines = [line.split(",") for line in (run / "telemetry.csv").read_text().splitlines()]
    changed = [",".join([*line[:3], *other, *line[5:]]) for line in lines[1:]]
    (run / "telemetry.csv").write_text("\n".join([",".join(lines[0]), *changed]) + "\n")
    assert "result.json: quality.grade" in told(checked(run))
