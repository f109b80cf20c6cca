"""The sections that a trace adds to the page of its run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mlharness.analysis.loading import read_result, trace_of
from mlharness.analysis.traced import Traced
from mlharness.errors import UserError
from mlharness.explaining.evidence import read_evidence
from mlharness.explaining.rules.rule import Finding, duration
from mlharness.explaining.verdict import Verdict, judge, written
from mlharness.reporting.page import Cell, Column, Section, make_table
from mlharness.reporting.rendering import asset, embed_json, render
from mlharness.reporting.trace import hues
from mlharness.reporting.trace.facts import cut, micro
from mlharness.reporting.trace.flame import Node, read_flame
from mlharness.reporting.trace.flame_document import flame_document, paths_table
from mlharness.reporting.trace.layers import layer_table
from mlharness.reporting.trace.shares import Bar, bar_of
from mlharness.reporting.trace.timeline import Timeline, read_timeline
from mlharness.rundir import RESULT
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import SPANS, open_trace


def trace_sections(run: Path) -> list[Section]:
    """The sections of a run's trace: where the time goes, timeline, flame graph, layers.

    There are none for a run that was not traced, or never ended. A trace that cannot be read is told on the page, which
    has all the rest to tell.

    Raises:
        UserError: the result cannot be read.
    """
    trace = read_result(run).get("trace") if (run / RESULT).is_file() else None
    if not trace:
        return []
    if not (run / SPANS).is_file():
        return [_untold(trace.get("failure") or f"the run directory has no {SPANS}", trace)]
    import duckdb

    try:
        return list(_sections(run, trace))
    except (UserError, duckdb.Error) as error:  # a file may be damaged in its middle, which shows when it is read
        return [_untold(str(error), trace)]


def _untold(why: str, trace: Mapping[str, Any]) -> Section:
    html = render("trace/shares.html", why=why, bar=None, levels=_levels(trace))
    return Section("Where the time goes", html, "time", styles=_styles())


def _sections(run: Path, trace: Mapping[str, Any]) -> Iterator[Section]:
    traced = trace_of(run)
    with open_trace(run) as database:
        (count,) = database.execute("SELECT count(*) FROM spans").fetchone() or (0,)
        roots = read_flame(database)
        colours = hues.hues_of(roots)
        found = read_timeline(database, colours)
    yield _shares(run, trace, traced, colours)
    if found.drawn:
        yield _timeline(found, colours, count)
    if roots:
        yield _flame(roots, colours, found)
    yield _layers(traced)


def _shares(run: Path, trace: Mapping[str, Any], traced: Traced, colours: hues.Hues) -> Section:
    verdict = judge(read_evidence(run, roofline=False))  # a page is made of what is known: it measures nothing
    bar = bar_of(verdict.evidence, traced, colours)
    html = render("trace/shares.html", why="", bar=bar, mean=_mean(bar) if bar else "",
                  findings=_findings(verdict), silent=verdict.silent, levels=_levels(trace))  # fmt: skip
    return Section("Where the time goes", html, "time", styles=_styles())


def _mean(bar: Bar) -> str:
    """How long what the bar shows is."""
    word = "a batch takes" if bar.of == "the workers' time" else "it takes"
    return micro(f"{word} {duration(bar.mean_ns)} on average")


def _findings(verdict: Verdict) -> list[dict[str, str]]:
    """What the rules found, the most weighty first, in words."""
    return [
        {
            "verdict": cut(micro(one.verdict), 600),
            "facts": cut(micro("; ".join(map(written, one.facts))), 600),
            "change": cut(one.change, 600),
            "gain": cut(micro(_gain(one)), 600),
        }
        for _, one in verdict.findings
    ]


def _gain(one: Finding) -> str:
    if one.gain is None:
        return f"not predicted: {one.no_gain}"
    return f"{one.gain.what} {one.gain.factor:.2f} times better: {one.gain.how}"


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
    html = render("trace/timeline.html", found=found, count=count,
                  legend=legend(colours))  # fmt: skip
    data = embed_json("timeline-data", found.document)
    return Section("Timeline", html + data, "timeline", _scripts("timeline.js"), _styles())


def _flame(roots: Sequence[Node], colours: hues.Hues, found: Timeline) -> Section:
    html = render("trace/flame.html", paths=paths_table(roots), units=found.units,
                  merged=any(node.merged for root in roots for _, node in root.walk()))  # fmt: skip
    data = embed_json("flame-data", flame_document(roots, colours, found.units))
    return Section("Flame graph", html + data, "flame", _scripts("flame.js"), _styles())


def _layers(traced: Traced) -> Section:
    if not traced.layers:
        html = render("trace/layers.html", table=None, notes=[], why=traced.missing.get("layers", ""))
        return Section("Layers", html, "layers", styles=_styles())
    table, notes = layer_table(traced)
    html = render("trace/layers.html", table=table, notes=notes, why="")
    return Section("Layers", html, "layers", _scripts("layers.js"), _styles())


def legend(colours: hues.Hues) -> list[tuple[str, int, str]]:
    """The names of the operator types' colours, with their level."""
    return [(cut(kind, 40), hues.KINDS + place, LEVELS[level]) for place, (kind, level, _) in enumerate(colours.types)]


def _scripts(*names: str) -> tuple[str, ...]:
    """What they share comes first; it is put on the page once."""
    return tuple(asset(f"trace/{name}") for name in ("drawing.js", *names))


def _styles() -> tuple[str, ...]:
    return (asset("trace/style.css"),)
