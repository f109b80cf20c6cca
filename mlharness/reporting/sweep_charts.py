"""A sweep's plots as a page shows them: one for each scenario, as wide as the page, zoomable where that helps."""

from __future__ import annotations

from collections.abc import Mapping
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
        keep = {key: found[key] for key in ("$schema", "data", "resolve")}
        return {**keep, "facet": panels, "columns": PANELS, "spec": found["spec"]}, told
    spec = {**found["spec"], **{key: found[key] for key in ("$schema", "data")}}
    if name == "accuracy":
        spec["layer"][1]["params"] = [zoomable("x", "y")]
        for layer in spec["layer"]:
            layer["mark"] = {**layer["mark"], "clip": True}
    if name == "accuracy" or len(found["data"]["values"]) <= MOST_BARS:
        spec |= {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    return spec, told
