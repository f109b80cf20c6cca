"""The sections that a trace adds to the page of its run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mlharness.analysis.loading import read_result, trace_of
from mlharness.analysis.traced import Traced
from mlharness.errors import UserError
from mlharness.explaining.rules.rule import duration
from mlharness.reporting.page import Cell, Column, Section, asset, embed_json, make_table, render
from mlharness.reporting.trace import flame, hues, timeline
from mlharness.reporting.trace.facts import cut
from mlharness.reporting.trace.flame import Node
from mlharness.reporting.trace.layers import layer_table
from mlharness.reporting.trace.shares import Bar, read_bar
from mlharness.reporting.trace.timeline import Timeline
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import SPANS, open_trace

MOST_PATHS = 100
"""Rows of the table that stands for the flame graph."""
SLOWED = 3.0
"""Percent from which on it is worth telling that the tracers slowed the run: less is noise."""


def trace_sections(run: Path) -> list[Section]:
    """The sections of a run's trace: where the time goes, timeline, flame graph, layers; none when it was not traced.

    A trace that cannot be read is told on the page, which has all the rest to tell.

    Raises:
        UserError: the run has no result.
    """
    result = read_result(run)
    trace = result.get("trace")
    if not trace:
        return []
    if not (run / SPANS).is_file():
        return [_untold(trace.get("failure") or f"the run directory has no {SPANS}", trace)]
    try:
        return list(_sections(run, trace))
    except UserError as error:
        return [_untold(str(error), trace)]


def _untold(why: str, trace: Mapping[str, Any]) -> Section:
    html = render("trace_shares.html", why=why, bar=None, mean="", facts=[], levels=_levels(trace))
    return Section("Where the time goes", html, "time", styles=_styles())


def _sections(run: Path, trace: Mapping[str, Any]) -> Iterator[Section]:
    traced = trace_of(run)
    with open_trace(run) as database:
        (count,) = database.execute("SELECT count(*) FROM spans").fetchone() or (0,)
        roots = flame.read_flame(database)
        colours = hues.hues_of(roots)
        found = timeline.read_timeline(database, colours)
    yield _shares(run, trace, traced, colours)
    if found.drawn:
        yield _timeline(found, colours, count)
    if roots:
        yield _flame(roots, colours, found)
    yield _layers(traced)


def _shares(run: Path, trace: Mapping[str, Any], traced: Traced, colours: hues.Hues) -> Section:
    bar = read_bar(run, traced, colours)
    html = render(
        "trace_shares.html", why="", bar=bar, mean=duration(bar.mean_ns) if bar else "",
        facts=list(_facts(trace, traced, bar)), levels=_levels(trace),
    )  # fmt: skip
    return Section("Where the time goes", html, "time", styles=_styles())


def _facts(trace: Mapping[str, Any], traced: Traced, bar: Bar | None) -> Iterator[str]:
    """What the bar says, in words."""
    if traced.layers:
        ranked = sorted(traced.layers, key=lambda layer: -layer.latency_ns)
        whole = sum(layer.latency_ns for layer in ranked)
        first = ranked[0]
        yield (f"The slowest layer is {cut(first.name, 120)} ({first.kind}): {100 * first.latency_ns / whole:.1f} % of "
               f"all layers' time.")  # fmt: skip
        half, spent = 0, 0.0
        while spent < whole / 2:
            spent += ranked[half].latency_ns
            half += 1
        yield f"Half of their time is spent in {half} of {len(ranked)} layers."
    if bar and bar.layers_missing:
        yield f"What the model does inside is not known: {bar.layers_missing}."
    slowdown = trace.get("slowdown")
    if slowdown and abs(slowdown["percent"]) >= SLOWED:
        word = "slower" if slowdown["percent"] > 0 else "faster"
        yield (f"The traced run was {abs(slowdown['percent']):.1f} % {word} than the measured one. Its times explain the "
               "figure; they are not the figure.")  # fmt: skip


def _levels(trace: Mapping[str, Any]) -> Markup:
    """What became of each level; of one that has nothing, why."""
    columns = [Column("Level"), Column("State"), Column("Spans", figures=True), Column("Readings", figures=True),
               Column("Why it is missing")]  # fmt: skip
    told = trace.get("levels", {})
    rows: list[list[Cell]] = []
    for number, level in enumerate(LEVELS):
        about = told.get(level, {"state": "not traced", "spans": 0, "readings": 0, "reasons": []})
        kind = {"recorded": "good", "broken": "bad"}.get(about["state"], "muted")
        rows.append([Cell(level, number), Cell(about["state"], kind=kind), Cell(f"{about['spans']:,}", about["spans"]),
                     Cell(f"{about['readings']:,}", about["readings"]),
                     Cell(cut("; ".join(about["reasons"]), 600) if about["state"] != "recorded" else "")])  # fmt: skip
    return make_table(columns, rows, "Levels of the trace", "levels")


def _timeline(found: Timeline, colours: hues.Hues, count: int) -> Section:
    html = render("trace_timeline.html", found=found, spans=sum(len(one.spans) for one in found.drawn), count=count,
                  legend=legend(colours))  # fmt: skip
    data = embed_json("timeline-data", found.document)
    return Section("Timeline", html + data, "timeline", _scripts("timeline.js"), _styles())


def _flame(roots: Sequence[Node], colours: hues.Hues, found: Timeline) -> Section:
    units = found.units
    nodes = [(depth, node) for root in roots for depth, node in root.walk()]
    document = {
        "levels": LEVELS,
        "units": len(units) if units else 0,
        "word": units.word if units else "",
        "depth": [depth for depth, _ in nodes],
        "name": [_label(node) for _, node in nodes],
        "kind": [cut(node.kind, 60) for _, node in nodes],
        "level": [node.level for _, node in nodes],
        "count": [node.count for _, node in nodes],
        "total": [node.total for _, node in nodes],
        "own": [node.own for _, node in nodes],
        "width": [node.width for _, node in nodes],
        "hue": _flame_hues(roots, colours),
    }
    html = render("trace_flame.html", paths=_paths(roots), units=units, legend=legend(colours),
                  merged=any(node.merged for _, node in nodes))  # fmt: skip
    return Section("Flame graph", html + embed_json("flame-data", document), "flame", _scripts("flame.js"), _styles())


def _label(node: Node) -> str:
    return f"{node.merged} more" if node.merged else cut(node.name, 120) or "no name"


def _flame_hues(roots: Sequence[Node], colours: hues.Hues) -> list[int]:
    """The colour of each node: what stands inside a layer has the layer's, unless its type has one of its own."""
    found: list[int] = []

    def walk(node: Node, above: Node | None, hue_above: int) -> None:
        hue = colours.of(node.level, node.kind)
        if hue == hues.OTHER and above is not None and above.level == node.level and not node.merged:
            hue = hue_above
        found.append(hue)
        for child in node.children:
            walk(child, node, hue)

    for root in roots:
        walk(root, None, hues.OTHER)
    return found


def _paths(roots: Sequence[Node]) -> Markup:
    """The flame graph as a table: the ways on which the most time was spent in nothing further in."""
    found: list[tuple[str, Node]] = []

    def walk(node: Node, way: tuple[str, ...]) -> None:
        here = (*way, _label(node))
        found.append((" › ".join(here), node))
        for child in node.children:
            walk(child, here)

    for root in roots:
        walk(root, ())
    whole = sum(root.width for root in roots) or 1
    largest = sorted(found, key=lambda one: -one[1].own)[:MOST_PATHS]
    columns = [Column("Way"), Column("Level"), Column("Own (ms)", figures=True, told="in nothing further in"),
               Column("Own share", figures=True), Column("Total (ms)", figures=True), Column("Spans", figures=True)]  # fmt: skip
    rows = [
        [Cell(cut(way, 400), kind="name"), Cell(LEVELS[node.level]), Cell(f"{node.own / 1e6:,.3f}", node.own),
         Cell(f"{100 * node.own / whole:.1f} %", node.own), Cell(f"{node.total / 1e6:,.3f}", node.total),
         Cell(f"{node.count:,}", node.count)]
        for way, node in largest
    ]  # fmt: skip
    return make_table(columns, rows, f"The {len(largest)} of {len(found):,} ways with the most own time", "paths")


def _layers(traced: Traced) -> Section:
    if not traced.layers:
        html = render("trace_layers.html", table=None, notes=[], why=traced.missing.get("layers", ""))
        return Section("Layers", html, "layers", styles=_styles())
    table, notes = layer_table(traced)
    html = render("trace_layers.html", table=table, notes=notes, why="")
    return Section("Layers", html, "layers", _scripts("layers.js"), _styles())


def legend(colours: hues.Hues) -> list[tuple[str, int, str]]:
    """The names of the operator types' colours, with their level."""
    return [(cut(kind, 40), hues.KINDS + place, LEVELS[level]) for place, (kind, level, _) in enumerate(colours.types)]


def _scripts(*names: str) -> tuple[str, ...]:
    """What they share comes first; it is put on the page once."""
    return tuple(asset(name) for name in ("trace.js", *names))


def _styles() -> tuple[str, ...]:
    return (asset("trace.css"),)
