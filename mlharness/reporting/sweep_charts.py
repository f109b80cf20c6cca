"""A sweep's plots as a page shows them: one for each scenario, as wide as the page, zoomable where that helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlharness.reporting.charts import zoomable
from mlharness.sweeping.charts import charts_of

Spec = dict[str, Any]
SHOWN = {
    "throughput": "Throughput",
    "latency": "Latency",
    "accuracy": "Accuracy against latency",
    "scaling": "Scaling with batch size",
}
"""The charts of ``sweeping/charts.py`` with the titles of their sections."""
MOST_BARS = 60
"""With more bars each keeps its width, and the chart is scrolled."""
PANELS = 4


def chart_of(table: Mapping[str, Any], name: str, scenario: str) -> tuple[Spec, str] | None:
    """The Vega-Lite document of a chart over the rows of a scenario, and its words; None without figures."""
    rows = [row for row in table["rows"] if row["scenario"] == scenario]
    found = charts_of({**table, "rows": rows}).get(name)
    if found is None:
        return None
    told = str(found["title"]["subtitle"])
    panels = found["facet"].get("column")  # a row for each scenario is not needed: there is one
    if panels is not None:
        keep = {key: found[key] for key in ("data", "resolve")}
        return {**keep, "facet": panels, "columns": PANELS, "spec": found["spec"]}, told
    spec = {**found["spec"], "data": found["data"]}
    if name == "accuracy":
        make_room(spec)
    if name == "accuracy" or len(found["data"]["values"]) <= MOST_BARS:
        spec |= {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    return spec, told


def make_room(spec: Spec) -> None:
    """Let accuracy against latency zoom; only the fastest point of a model has its name, for which there is room."""
    spec["layer"][1]["params"] = [zoomable("x", "y")]
    for layer in spec["layer"]:
        layer["mark"] = {**layer["mark"], "clip": True}
    fastest = {"op": "row_number", "as": "place"}
    spec["layer"][2]["transform"] = [
        {"window": [fastest], "groupby": ["model"], "sort": [{"field": "p90_ms"}]},
        {"filter": "datum.place === 1"},
    ]
    for channel, field, right in (("x", "p90_ms", 0.2), ("y", "accuracy", 0.1)):
        values = [point[field] for point in spec["data"]["values"]]
        spec["encoding"][channel]["scale"] = {"domain": around(values, right), "nice": False}


def around(values: Sequence[float], above: float) -> list[float]:
    """A domain that holds the values, with room below them and, as a share of their span, above; never below 0."""
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    return [max(0.0, low - 0.1 * span) if low >= 0 else low - 0.1 * span, high + above * span]
