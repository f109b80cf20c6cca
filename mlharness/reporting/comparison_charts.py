"""The charts of a comparison, as Vega-Lite documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlharness.comparing.wording import shortened
from mlharness.reporting.charts import zoomable
from mlharness.reporting.run_charts import Spec, chart, quantitative, tooltip

Document = Mapping[str, Any]
COLOURS = {"faster": "var(--good)", "slower": "var(--bad)"}
OTHER = "var(--muted)"
PARTS = 15
"""So many layers are drawn; the table has all of them."""


def changes(metrics: Sequence[tuple[str, Document]]) -> Spec:
    """The change of each metric in percent, with its interval, around a line at none."""
    rows = [
        {
            "metric": name,
            "percent": 100 * (metric["ratio"] - 1),
            "low": 100 * (metric["interval"][0] - 1) if metric["interval"] else None,
            "high": 100 * (metric["interval"][1] - 1) if metric["interval"] else None,
            "verdict": metric["verdict"],
        }
        for name, metric in metrics
    ]
    told = [{"field": "metric"}, *(tooltip(name, "+.2f") for name in ("percent", "low", "high")), {"field": "verdict"}]
    verdicts = list(dict.fromkeys(row["verdict"] for row in rows))
    colour = {
        "field": "verdict", "type": "nominal", "title": None, "legend": {"orient": "bottom"},
        "scale": {"domain": verdicts, "range": [COLOURS.get(verdict, OTHER) for verdict in verdicts]},
    }  # fmt: skip
    y = {"field": "metric", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}}
    x = {"type": "quantitative", "title": "change (%)"}
    zero = {
        "data": {"values": [{"none": 0}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": "var(--muted)"},
        "encoding": {"x": {"field": "none", **x}},
    }
    bar = {
        "transform": [{"filter": "datum.low !== null"}],
        "mark": {"type": "rule", "strokeWidth": 2.5},
        "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y, "color": colour, "tooltip": told},
    }
    point = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
        "encoding": {"x": {"field": "percent", **x}, "y": y, "color": colour, "tooltip": told},
    }
    # without a single interval the bars would have no extent, of which the library complains
    bars = [bar] if any(metric["interval"] for _, metric in metrics) else []
    return chart(height=30 * len(rows), data={"values": rows}, layer=[zero, *bars, point])


def runs_of(metric: Document, a: str, b: str) -> Spec:
    """The value of each run, in order: a machine that drifts shows."""
    scale, unit = (1e-6, "ms") if metric["unit"] == "ns" else (1.0, metric["unit"])
    rows = [
        {"run": number, "side": side, "value": scale * found}
        for side, key in ((a, "a"), (b, "b"))
        for number, found in enumerate(metric[key]["values"], 1)
    ]
    return chart(
        height=200,
        data={"values": rows},
        params=[zoomable("y")],
        mark={"type": "line", "point": {"size": 60}, "strokeWidth": 1, "strokeDash": [3, 3], "clip": True},
        encoding={
            "x": {"field": "run", "type": "ordinal", "title": "run", "axis": {"labelAngle": 0}},
            "y": quantitative("value", unit, zero=False),
            "color": {"field": "side", "type": "nominal", "title": None, "sort": [a, b]},
            "shape": {"field": "side", "type": "nominal", "legend": None, "sort": [a, b]},
            "tooltip": [{"field": "side"}, {"field": "run"}, tooltip("value", ",.4f")],
        },
    )


def parts(rows: Sequence[Document]) -> Spec:
    """The largest differences of layers or kernels, those that explain the whole in full colour."""
    largest = max((abs(row["delta_ns"]) for row in rows), default=0.0)
    scale, unit = (1e6, "ms") if largest >= 1e6 else (1e3, "µs")
    shown = [
        {
            "place": f"{number}. {shortened(', '.join(row['a'] or row['b']))}",
            "type": row["type"],
            "difference": row["delta_ns"] / scale,
            "explains": bool(row["explains"]),
            "way": "slower" if row["delta_ns"] > 0 else "faster",
        }
        for number, row in enumerate(rows[:PARTS], 1)
    ]
    colour = {
        "field": "way", "type": "nominal", "title": None, "legend": None,
        "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
    }  # fmt: skip
    return chart(
        height=24 * len(shown),
        data={"values": shown},
        mark={"type": "bar", "height": {"band": 0.65}},
        encoding={
            "y": {"field": "place", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 340}},
            "x": quantitative("difference", f"difference in a traced call ({unit})"),
            "color": colour,
            "opacity": {"condition": {"test": "datum.explains", "value": 1}, "value": 0.4},
            "tooltip": [{"field": "place"}, {"field": "type"}, tooltip("difference", "+,.3f"), {"field": "explains"}],
        },
    )
