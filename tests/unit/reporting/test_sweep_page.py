"""The page of a sweep: every row, networks that differ, cells that failed, and a chart for each scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mlharness.reporting.sweep import sweep_page
from mlharness.reporting.sweep_charts import chart_of
from mlharness.sweeping.directory import SweepDirectory
from mlharness.sweeping.order import Unit
from mlharness.sweeping.running import Hearing, run_all
from mlharness.sweeping.table import table_of
from tests.unit.reporting.reading import HOSTILE, Read, read
from tests.unit.sweeping.conftest import Begin, begun, keep, made_up, pretend, write

__all__ = ["begun", "write"]  # fixtures


pytestmark = pytest.mark.usefixtures("no_library")


def run(directory: SweepDirectory, change: Any = lambda unit: {}) -> Read:
    """Make every run, with ``change(unit)`` in its result, and read the page."""
    run_all(directory, lambda place, unit, earlier: keep(place, made_up(place, unit, **change(unit))), Hearing())
    return read(sweep_page(directory))


def test_rows_of_other_networks_are_marked(begun: Begin) -> None:
    def change(unit: Unit) -> dict[str, Any]:
        parameters = 1100 if unit.cell.framework == "y" else 1000
        return {"model": {"weights": "random", "parameters": parameters, "multiply_adds": None}}

    page = run(begun(frameworks=["x", "y"], models=["a"]), change)
    assert page.rows[0][-1] == "Network"
    assert [row[-1] for row in page.rows[1:]] == ["", "≠ parameters +10.0 % of x's"]
    assert [row[0] for row in page.rows[1:]] == ["a", "a ≠"]
    assert "1 row is marked ≠" in page.text
    assert page.titles == ["summary", "table", "throughput", "latency", "reproduce"]
    assert "COMPLETE" in page.text


def test_what_failed_is_said_with_its_remedy(begun: Begin) -> None:
    directory = begun(models=["a", "missing", "broken"])
    run_all(directory, pretend, Hearing())
    page = read(sweep_page(directory))
    assert "2 of 3 cells have no valid run" in page.text
    failed = page.rows[page.rows.index(["Model", "Framework", "Scenario", "Status", "Why"]) + 1 :]
    assert [(row[0], row[-1]) for row in failed] == [
        ("missing", "no model is named 'missing' See: mlh models"),
        ("broken", "broken on own 1: it is failed"),
    ]


def test_a_sweep_that_has_only_begun_has_a_page(begun: Begin) -> None:
    page = read(sweep_page(begun()))
    assert "NOT COMPLETE" in page.text
    assert "2 of 2 cells have not run yet" in page.text
    assert "mlh sweep --resume" in page.text
    assert page.charts == []


def test_whatever_a_model_is_called_it_is_text(begun: Begin) -> None:
    def broken(directory: SweepDirectory, unit: Unit, earlier: Any) -> Mapping[str, Any]:
        return keep(directory, made_up(directory, unit, "failed", invalid_reasons=[HOSTILE]))

    directory = begun(models=["a", HOSTILE], description=HOSTILE)
    run_all(
        directory,
        lambda place, unit, earlier: (broken if unit.cell.model == "a" else usual)(place, unit, earlier),
        Hearing(),
    )
    page = read(sweep_page(directory))
    assert page.text.count(HOSTILE) == 2  # the description, and the model in the table
    assert " ".join(HOSTILE.split()) in page.rows[-1][-1]  # messages have single spaces
    assert page.charts[0]["data"]["values"][0]["model"] == HOSTILE


def usual(directory: SweepDirectory, unit: Unit, earlier: Any) -> Mapping[str, Any]:
    return keep(directory, made_up(directory, unit))


def test_a_chart_for_each_scenario_and_a_panel_for_each_model(begun: Begin) -> None:
    directory = begun(frameworks=["x", "y"], batch_sizes=[1, 2], scenarios=["Offline", "SingleStream"])
    page = run(directory, lambda unit: {"accuracy": {"metric": "top1", "unit": "%", "value": 70.0, "target": None,
                                                     "passed": None}})  # fmt: skip
    assert page.titles[2:-1] == ["throughput", "latency", "accuracy-against-latency", "scaling-with-batch-size"]
    by_scenario = [{point["scenario"] for point in chart["data"]["values"]} for chart in page.charts]
    assert by_scenario == [
        {"Offline"},
        {"SingleStream"},
        {"SingleStream"},
        {"SingleStream"},
        {"Offline"},
        {"SingleStream"},
    ]
    table = table_of(directory)
    scaling = chart_of(table, "scaling", "Offline")
    assert scaling is not None
    assert (scaling[0]["facet"]["field"], scaling[0]["columns"]) == ("model", 4)
    accuracy = chart_of(table, "accuracy", "SingleStream")
    assert accuracy is not None
    assert accuracy[0]["layer"][1]["params"][0]["bind"] == "scales"
    assert chart_of(table, "accuracy", "Offline") is None
