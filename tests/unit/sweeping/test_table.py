"""The table: medians over valid runs, networks that differ, and the plots that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pytest

from mlharness.networks import Network, differences
from mlharness.sweeping.charts import charts_of, points_of, with_front
from mlharness.sweeping.directory import SweepDirectory
from mlharness.sweeping.drawing import can_draw, write_table
from mlharness.sweeping.estimating import SET_UP_S, Estimator, learn
from mlharness.sweeping.order import Unit
from mlharness.sweeping.running import Hearing, run_all
from mlharness.sweeping.table import has_figures, table_of
from tests.unit.sweeping.conftest import Begin, keep, made_up, pretend


def run(directory: SweepDirectory, change: Any) -> dict[str, Any]:
    """Make every run with ``change(unit)`` in its result, and return the table."""
    run_all(directory, lambda place, unit, earlier: keep(place, made_up(place, unit, **change(unit))), Hearing())
    return table_of(directory)


def test_figures_are_medians_over_valid_runs(begun: Begin) -> None:
    directory = begun(models=["a"], repetitions=4)

    def change(unit: Unit) -> dict[str, Any]:
        rate = float(10 * unit.repetition)
        metric = {"name": "result_samples_per_second", "value": rate, "unit": "samples/s"}
        return {"metric": metric, "status": "invalid" if unit.repetition == 4 else "valid"}

    [row] = run(directory, change)["rows"]
    assert row["status"] == "valid"
    assert row["counts"] == {"valid": 3, "invalid": 1}
    assert row["throughput"] == {"value": 20.0, "low": 10.0, "high": 30.0, "n": 3}
    assert row["metric"] == {"name": "result_samples_per_second", "unit": "samples/s", **row["throughput"]}
    assert len(row["runs"]) == 3


def test_a_latency_metric_gives_throughput_by_samples_and_duration(begun: Begin) -> None:
    latency = {"name": "early_stopping_latency_ss", "value": 5e6, "unit": "ns"}
    table = run(begun(models=["a"]), lambda unit: {"metric": latency, "samples": 50, "duration_s": 2.0})
    assert table["rows"][0]["throughput"]["value"] == 25.0


def test_metrics_of_two_names_have_no_median(begun: Begin) -> None:
    def change(unit: Unit) -> dict[str, Any]:
        return {"metric": {"name": f"m{unit.repetition}", "value": 1.0, "unit": "ns"}}

    assert run(begun(models=["a"], repetitions=2), change)["rows"][0]["metric"] is None


def test_an_unfinished_table_says_so(begun: Begin) -> None:
    table = table_of(begun())
    assert not table["complete"]
    assert [row["status"] for row in table["rows"]] == ["pending", "pending"]
    assert charts_of(table) == {}


@pytest.mark.parametrize("content", ['{"status": "val', '{"schema_version": 2}', None])
def test_a_result_that_cannot_be_read_any_more_is_no_figure(begun: Begin, content: str | None) -> None:
    directory = begun(models=["a", "b"])
    run_all(directory, pretend, Hearing())
    result = sorted(directory.runs.iterdir())[0] / "result.json"
    result.unlink() if content is None else result.write_text(content, "utf-8")
    rows = table_of(directory)["rows"]
    (lost,) = (row for row in rows if not has_figures(row))
    assert lost["message"] == f"the result of {result.parent.name} is gone, or cannot be read"
    assert lost["throughput"] is None


def test_an_invalid_run_does_not_stand_in_for_a_valid_one_that_is_gone(begun: Begin) -> None:
    directory = begun(models=["a"], repetitions=2)
    run(directory, lambda unit: {"status": "valid" if unit.repetition == 1 else "invalid"})
    (valid,) = (entry.run_id for entry in directory.journal.entries.values() if entry.status == "valid")
    (directory.runs / valid / "result.json").unlink()
    [row] = table_of(directory)["rows"]
    assert not has_figures(row)
    assert (row["runs"], row["throughput"]) == ([], None)
    assert row["message"] == f"the result of {valid} is gone, or cannot be read"


def test_networks_that_differ_are_marked(begun: Begin) -> None:
    sizes = {"x": 1000, "y": 1004, "z": 1100}

    def change(unit: Unit) -> dict[str, Any]:
        return {"model": {"weights": "random", "parameters": sizes[unit.cell.framework or ""], "multiply_adds": None}}

    table = run(begun(frameworks=list(sizes)), change)
    told = ["", "", "parameters +10.0 % of x's"]
    assert [row["differs"] for row in table["rows"]] == told * 2
    assert {point["mark"] for point in points_of(table["rows"]) if point["system"] == "z"} == {"≠"}


def test_a_network_is_held_against_the_first_that_tells() -> None:
    networks = [Network("x"), Network("y", 100, 50), Network("z", 100, 60), Network("w", None, 50)]
    assert differences(networks) == ["", "", "multiply-adds +20.0 % of y's", ""]


def test_plots_show_what_there_is(begun: Begin) -> None:
    def score(unit: Unit) -> dict[str, Any]:
        found = {"metric": "top1", "unit": "%", "target": None, "passed": None, "value": 70.0}
        return {"accuracy": found, "framework": {**made_up(directory, unit)["framework"]}}

    directory = begun(frameworks=["x", "y"], batch_sizes=[1, 8], scenarios=["SingleStream", "Offline"])
    charts = charts_of(run(directory, score))
    assert list(charts) == ["throughput", "latency", "accuracy", "scaling"]
    assert len(charts["throughput"]["data"]["values"]) == 16
    assert {point["scenario"] for point in charts["latency"]["data"]["values"]} == {"SingleStream"}
    assert {point["system"] for point in charts["scaling"]["data"]["values"]} == {"x", "y"}


def test_without_accuracy_and_with_one_batch_size_there_are_fewer(begun: Begin) -> None:
    directory = begun(scenarios=["Offline"])
    run_all(directory, pretend, Hearing())
    assert list(charts_of(table_of(directory))) == ["throughput"]


@pytest.mark.parametrize(("higher", "front"), [(True, ["a", "b", "d"]), (False, ["a"])])
def test_the_front_holds_what_nothing_beats_in_both(higher: bool, front: list[str]) -> None:
    points = [("a", 1.0, 50.0), ("b", 2.0, 60.0), ("c", 3.0, 55.0), ("d", 4.0, 70.0), ("e", 4.5, 70.0)]
    made = [
        {"model": model, "p90_ms": took, "accuracy": value, "higher_is_better": higher, "scenario": "SingleStream",
         "accuracy_name": "top1"} for model, took, value in points
    ]  # fmt: skip
    assert [point["model"] for point in with_front(made) if point["front"]] == front


def test_table_and_plots_are_written(begun: Begin) -> None:
    directory = begun()
    run_all(directory, pretend, Hearing())
    table, files = write_table(directory)
    assert table["complete"]
    assert (directory.path / "table.json").is_file()
    assert [file.name for file in files] == [f"{name}.{'svg' if can_draw() else 'vl.json'}"
                                             for name in ("throughput", "latency")]  # fmt: skip
    assert all(file.stat().st_size for file in files)


def test_plots_can_be_drawn(begun: Begin) -> None:
    pytest.importorskip("vl_convert", reason="the extra mlharness[plots] is not installed")
    directory = begun(batch_sizes=[1, 2])
    run_all(directory, pretend, Hearing())
    _, files = write_table(directory)
    for file in files:
        text = file.read_text("utf-8")
        assert text.startswith("<svg")
        assert "samples a second" in text or "latency (ms)" in text


def row(model: str, framework: str, beside: float, duration: float | None = 10.0) -> Mapping[str, Any]:
    start = datetime(2026, 1, 1)  # the store's are without a zone, too
    finished = start + timedelta(seconds=beside + (duration or 0.0))
    return {"model": model, "framework": framework, "scenario": "Offline", "mode": "performance", "started": start,
            "finished": finished, "duration_s": duration}  # fmt: skip


def test_the_estimate_takes_the_runs_that_have_most_in_common(begun: Begin) -> None:
    cells = begun(models=["a", "b"], frameworks=["x==1", "y"], scenarios=["Offline"]).sweep.cells
    rows = [row("a", "x", 2.0), row("a", "x", 4.0), row("c", "x", 9.0), row("c", "z", 50.0)]
    found = learn(rows)
    expected = {("a", "x==1"): 3.0, ("b", "x==1"): 4.0, ("a", "y"): median([2.0, 4.0, 9.0, 50.0])}
    seconds = {(cell.model, cell.framework): found.seconds(cell) for cell in cells}
    assert {key: seconds[key] - 10.0 for key in expected} == pytest.approx(expected)


def test_without_earlier_runs_the_default_is_stated(begun: Begin) -> None:
    keys: dict[str, Any] = {"models": ["a"], "settings": {"duration": 3}}
    assert Estimator().seconds(begun(**keys).sweep.cells[0]) == 3 + SET_UP_S
    assert f"{SET_UP_S:g} s are assumed" in Estimator().basis
    long = begun(models=["a"], settings={"rules": "mlperf"}).sweep.cells[0]
    assert Estimator().seconds(long) == 600 + SET_UP_S
    scored = begun(models=["a"], settings={"mode": "accuracy"}).sweep.cells[0]
    assert Estimator().seconds(scored) == SET_UP_S
