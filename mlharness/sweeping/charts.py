"""The plots of a sweep's table, as Vega-Lite specifications: plain JSON that any page can embed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mlharness.sweeping.table import has_figures

Spec = dict[str, Any]
Row = Mapping[str, Any]
Point = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
OTHER_NETWORK = "≠"
"""Marks a network that is not that of the model's first row."""


def charts_of(table: Mapping[str, Any]) -> dict[str, Spec]:
    """The specifications by name: throughput, latency, accuracy, scaling; those for which the table has figures."""
    points = points_of(table["rows"])
    made: Sequence[tuple[str, Callable[[str, list[Point]], Spec], list[Point]]] = (
        ("throughput", throughput, [point for point in points if point["throughput"] is not None]),
        ("latency", latency, [point for point in points if point["p90_ms"] is not None]),
        ("accuracy", accuracy, with_front(points)),
        ("scaling", scaling, scaled(points)),
    )
    return {name: chart(table["name"], chosen) for name, chart, chosen in made if chosen}


def points_of(rows: Sequence[Row]) -> list[Point]:
    """The valid rows as flat data; latencies in ms, and none of Offline, whose one query holds all samples."""
    valid = [row for row in rows if has_figures(row)]
    several = {key for key in ("device", "batch_size", "instances") if len({str(row[key]) for row in rows}) > 1}
    versions = len({(row["framework_name"], row["framework_version"]) for row in valid})
    versioned = versions > len({row["framework_name"] for row in valid})
    return [point_of(row, "batch_size" in several, list(labels(row, several, versioned))) for row in valid]


def labels(row: Row, several: set[str], versioned: bool) -> Iterator[str]:
    """What tells a row's system from those of the other rows, but its batch size."""
    yield f"{row['framework_name']} {row['framework_version']}" if versioned else row["framework_name"]
    if "device" in several:
        yield row["device"]
    if "instances" in several:
        yield f"{row['ran_with']['instances']} instances"


def point_of(row: Row, batched: bool, system: list[str]) -> Point:
    """One row as flat data."""
    took = None if row["scenario"] == "Offline" else row["latency_ns"]
    batch, rate, score = row["ran_with"]["batch_size"], row["throughput"], row["accuracy"]
    return {
        "model": row["model"],
        "system": ", ".join(system),
        "setup": ", ".join([*system, f"batch {batch}"] if batched else system),
        "scenario": row["scenario"],
        "batch": batch,
        "throughput": rate and rate["value"],
        "low": rate and rate["low"],
        "high": rate and rate["high"],
        "p90_ms": took and took["p90"]["value"] / 1e6,
        "p90_low": took and took["p90"]["low"] / 1e6,
        "p90_high": took and took["p90"]["high"] / 1e6,
        "accuracy": score and score["value"],
        "accuracy_name": score and f"{score['metric']} {score['unit']}".strip(),
        "higher_is_better": score and score["higher_is_better"],
        "mark": OTHER_NETWORK if row["differs"] else "",
        "differs": row["differs"],
    }


def with_front(points: Sequence[Point]) -> list[Point]:
    """Points with an accuracy and a latency; ``front`` is true where no other of the scenario is better in both."""
    known = [point for point in points if point["accuracy"] is not None and point["p90_ms"] is not None]
    return [{**point, "front": not any(dominates(other, point) for other in known)} for point in known]


def dominates(other: Point, point: Point) -> bool:
    """Whether one is at least as good in both, and better in one, under the same metric and scenario."""
    if any(other[key] != point[key] for key in ("scenario", "accuracy_name")):
        return False
    sign = 1 if point["higher_is_better"] else -1
    ahead = sign * (other["accuracy"] - point["accuracy"])
    sooner = point["p90_ms"] - other["p90_ms"]
    return bool(ahead >= 0 and sooner >= 0 and (ahead > 0 or sooner > 0))


def scaled(points: Sequence[Point]) -> list[Point]:
    """The points of those systems that were measured with more than one batch size."""
    sizes: dict[tuple[Any, ...], set[int]] = {}
    for point in points:
        sizes.setdefault(line_of(point), set()).add(point["batch"])
    return [point for point in points if point["throughput"] is not None and len(sizes[line_of(point)]) > 1]


def line_of(point: Point) -> tuple[Any, ...]:
    """What the points of one line have in common."""
    return point["model"], point["system"], point["scenario"]


def throughput(name: str, points: list[Point]) -> Spec:
    """Bars by model, a colour for each system."""
    return bars(f"{name}: throughput", points, ("throughput", "low", "high"), "samples a second")


def latency(name: str, points: list[Point]) -> Spec:
    """Bars of the 90th percentile by model."""
    return bars(f"{name}: latency", points, ("p90_ms", "p90_low", "p90_high"), "90th percentile latency (ms)")


def bars(title: str, points: list[Point], fields: tuple[str, str, str], axis: str) -> Spec:
    """Grouped bars with a line from the least to the largest, and a mark above those of another network."""
    value, low, high = fields
    models, setups = values_of(points, "model"), values_of(points, "setup")
    shared = {
        "x": {"field": "model", "type": "nominal", "sort": models, "title": None, "axis": {"labelAngle": 0}},
        "xOffset": {"field": "setup", "type": "nominal", "sort": setups},
    }
    bar = {
        "y": {"field": value, "type": "quantitative", "title": axis, "scale": {"zero": True}},
        "color": colour(points),
        "tooltip": tooltip("model", "setup", "scenario", value, low, high, "differs"),
    }
    if len(values_of(points, "batch")) > 1:
        bar["opacity"] = {"field": "batch", "type": "ordinal", "title": "batch size", "scale": {"range": [0.45, 1]}}
    layers = [
        {"mark": "bar", "encoding": bar},
        {"mark": "rule", "encoding": {"y": {"field": low, "type": "quantitative"}, "y2": {"field": high}}},
        {
            "mark": {"type": "text", "dy": -7},
            "encoding": {"y": {"field": high, "type": "quantitative"}, "text": {"field": "mark"}},
        },
    ]
    step = max(8, min(22, 640 // (len(models) * len(setups))))
    told = "lines: least to largest of the runs"
    if any(point["mark"] for point in points):
        told += f"; {OTHER_NETWORK} another network under the same name"
    unit = {"width": {"step": step}, "height": 260, "encoding": shared, "layer": layers}
    return panels(title, told, points, unit)


def accuracy(name: str, points: list[Point]) -> Spec:
    """Accuracy against latency, with the front of those that none beats in both."""
    y = {"field": "accuracy", "type": "quantitative", "title": points[0]["accuracy_name"], "scale": {"zero": False}}
    x = {"field": "p90_ms", "type": "quantitative", "title": "90th percentile latency (ms)", "scale": {"zero": False}}
    line = {"type": "line", "interpolate": "step-after", "color": "#888", "strokeDash": [4, 3]}
    told = tooltip("model", "setup", "accuracy", "p90_ms", "differs")
    layers = [
        {"transform": [{"filter": "datum.front"}], "mark": line},
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"color": colour(points), "tooltip": told},
        },
        {"mark": {"type": "text", "align": "left", "dx": 7, "dy": -5}, "encoding": {"text": {"field": "model"}}},
    ]
    unit = {"width": 520, "height": 320, "encoding": {"x": x, "y": y}, "layer": layers}
    front = "dashed: the Pareto front; no other is both more accurate and faster"
    return panels(f"{name}: accuracy against latency", front, points, unit)


def scaling(name: str, points: list[Point]) -> Spec:
    """Throughput by batch size: a panel for each model, a line for each system."""
    batch = {
        "field": "batch",
        "type": "quantitative",
        "title": "batch size",
        "scale": {"type": "log", "base": 2},
        "axis": {"values": values_of(points, "batch")},
    }
    encoding = {
        "x": batch,
        "y": {"field": "throughput", "type": "quantitative", "title": "samples a second", "scale": {"zero": True}},
        "color": colour(points),
        "tooltip": tooltip("model", "setup", "scenario", "throughput", "low", "high"),
    }
    unit = {"width": 180, "height": 180, "mark": {"type": "line", "point": True}, "encoding": encoding}
    made = panels(f"{name}: scaling with batch size", "each panel has a scale of its own", points, unit)
    column = {"field": "model", "type": "nominal", "title": None, "sort": values_of(points, "model")}
    made["facet"] = {**made["facet"], "column": column}
    return made


def colour(points: list[Point]) -> Spec:
    """A colour for each system, in the order of the sweep."""
    return {"field": "system", "type": "nominal", "title": None, "sort": values_of(points, "system")}


def tooltip(*fields: str) -> list[Spec]:
    """What a page shows of a mark under the pointer."""
    return [{"field": field} for field in fields]


def values_of(points: list[Point], key: str) -> list[Any]:
    """The values of a key in the order of the points, each once."""
    return list(dict.fromkeys(point[key] for point in points))


def panels(title: str, subtitle: str, points: list[Point], unit: Spec) -> Spec:
    """One panel for each scenario, each with a scale of its own."""
    scenarios = {"field": "scenario", "type": "nominal", "title": None, "sort": values_of(points, "scenario")}
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "subtitle": subtitle, "anchor": "start"},
        "background": "white",
        "data": {"values": points},
        "facet": {"row": scenarios},
        "resolve": {"scale": {"x": "independent", "y": "independent"}},
        "spec": unit,
    }
