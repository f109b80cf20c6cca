"""What LoadGen wrote twice, or what follows from other figures: a log that was edited in one place is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlharness.bundling.logs import disagreements
from mlharness.loadgen_log import read_log
from mlharness.measuring import Measured
from mlharness.plan import SCENARIOS
from tests.unit.runner.tiny_loadgen import FEW, run_tiny

FIGURES = ("result_", "early_stopping_latency")
UNTOLD = ("result_overlatency_query_count", "result_token")
"""Figures of which LoadGen tells nobody else, and the result nothing."""


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measured]:
    """A test of every scenario, as LoadGen really leaves them, and of the accuracy mode."""
    base = tmp_path_factory.mktemp("logs")
    found: dict[str, Path] = {scenario: run_tiny(base / scenario, scenario) for scenario in SCENARIOS}
    found["late"] = run_tiny(base / "late", "Server", server_target_latency_ns=1)
    found["accuracy"] = run_tiny(base / "accuracy", "Offline", "AccuracyOnly")
    return {name: measured(folder) for name, folder in found.items()}


def measured(directory: Path) -> Measured:
    log = read_log(directory)
    count = log.values.get("result_query_count", 0) * log.values["generated_samples_per_query"]
    settings = {**FEW, "mode": log.values["requested_test_mode"], "scenario": log.values["requested_scenario"]}
    return Measured(directory, log, {"dataset_count": 8, "settings": settings}, {"cost": {"samples": count}})


def found(test: Measured, name: str, audited: bool = False) -> list[str]:
    accuracy = name == "accuracy"
    return list(disagreements(test, "Offline" if accuracy else name, accuracy, audited))


def test_what_loadgen_left_of_an_invalid_test_goes_together(tests: dict[str, Measured]) -> None:
    assert not tests["late"].log.valid
    assert list(disagreements(tests["late"], "Server", False, True)) == []


@pytest.mark.parametrize("name", [*SCENARIOS, "accuracy"])
def test_what_loadgen_left_goes_together(tests: dict[str, Measured], name: str) -> None:
    assert found(tests[name], name) == []


def edited(test: Measured, folder: Path, key: str, value: Any) -> Measured:
    """The test with one value of the detail log changed, in all of its lines."""
    lines = []
    for line in (test.directory / "mlperf_log_detail.txt").read_text().splitlines():
        entry = json.loads(line.removeprefix(":::MLLOG "))
        if entry["key"] == key:
            entry["value"] = value
        lines.append(f":::MLLOG {json.dumps(entry)}")
    (folder / "mlperf_log_detail.txt").write_text("\n".join(lines) + "\n")
    for other in ("mlperf_log_summary.txt", "mlperf_log_accuracy.json"):
        (folder / other).write_text((test.directory / other).read_text())
    return Measured(folder, read_log(folder), test.prepared, test.measured)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_figure_that_is_changed_in_one_log_is_found(
    tests: dict[str, Measured], tmp_path: Path, scenario: str
) -> None:
    missed = []
    known = {key: value for key, value in tests[scenario].log.values.items() if key.startswith(FIGURES)}
    # of a stream, LoadGen notes latencies of samples, too, which no result has
    of_samples = scenario == "MultiStream"
    for key, value in known.items():
        if key.startswith(UNTOLD) or (of_samples and key.endswith("latency_ns") and "query" not in key):
            continue
        if isinstance(value, str):
            continue
        other = (not value) if isinstance(value, bool) else value * 1.01 + 1
        if not found(edited(tests[scenario], tmp_path, key, other), scenario):
            missed.append(key)
    assert missed == []
    assert len(known) > 12


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_figure_that_is_changed_in_the_summary_is_found(
    tests: dict[str, Measured], tmp_path: Path, scenario: str
) -> None:
    lines = (tests[scenario].directory / "mlperf_log_summary.txt").read_text().splitlines()
    missed = []
    for place, line in enumerate(lines):
        name, colon, value = line.rpartition(":")
        if not colon or not value.strip().replace(".", "").replace("e+", "").isdigit():
            continue
        test = edited(tests[scenario], tmp_path, "", None)
        changed = [*lines[:place], f"{name}: {float(value) * 1.01 + 1:.0f}", *lines[place + 1 :]]
        (tmp_path / "mlperf_log_summary.txt").write_text("\n".join(changed) + "\n")
        if not found(test, scenario):
            missed.append(line)
    assert missed == []


def test_settings_are_those_that_loadgen_noted(tests: dict[str, Measured]) -> None:
    test = tests["SingleStream"]
    other = Measured(
        test.directory,
        test.log,
        {**test.prepared, "settings": {**test.settings, "min_query_count": 701}},
        test.measured,
    )
    assert found(other, "SingleStream") == ["LoadGen was given min_query_count 700, and 701 is said"]
    assert found(other, "SingleStream", audited=True) == [], "an audit.config changes them afterwards"


def test_samples_that_nobody_answered_are_found(tests: dict[str, Measured], tmp_path: Path) -> None:
    test = edited(tests["accuracy"], tmp_path, "", None)
    entries = json.loads((tmp_path / "mlperf_log_accuracy.json").read_text())
    (tmp_path / "mlperf_log_accuracy.json").write_text(json.dumps(entries[1:]))
    assert found(test, "accuracy") == ["mlperf_log_accuracy.json holds 7 samples, and the data set has 8"]
