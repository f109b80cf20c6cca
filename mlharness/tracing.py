"""The traced run: a second, shorter run of the same plan, and the one tree of all that its tracers found."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from mlharness.errors import RunError, UserError
from mlharness.measuring import Measured, measure
from mlharness.plan import RunPlan
from mlharness.runner.job import Calibration, TraceJob
from mlharness.supervise import Watch
from mlharness.trace.clock import Anchor, Offset
from mlharness.trace.files import FOLDER, SOURCES
from mlharness.trace.levels import APPLICATION, FRAMEWORK, LEVELS, LIBRARY, MODEL
from mlharness.trace.parquet import SPANS, TELEMETRY, write_readings, write_spans
from mlharness.trace.queries import Recorded, phases_of, query_spans, read_queries, sampled
from mlharness.trace.spans import Spans, SpanTable, concatenate
from mlharness.trace.tree import with_parents

TRACED_S = 2.0
"""How long a traced test lasts, unless the measured one is shorter: profilers keep some events for each operator."""
LOGS = "loadgen"
"""Where LoadGen's files of the traced test go, within the trace's folder."""
NOTHING: Mapping[str, Any] = {
    "sources": [], "counts": {}, "queries": 0, "dropped": 0, "clock": None, "placed": {},
}  # fmt: skip
"""What a trace of which nothing could be read holds."""


@dataclass(frozen=True)
class TraceWish:
    """What the user asked for: levels, and which queries are kept."""

    levels: tuple[str, ...]
    every: int = 1
    first: int = 0


def trace_run(
    plan: RunPlan,
    wish: TraceWish,
    directory: Path,
    watch: Watch,
    runner_log: Path,
    calibration: Calibration | None = None,
    untraced: Measured | None = None,
) -> dict[str, Any]:
    """Trace a plan into a run directory: ``spans.parquet``, ``telemetry.parquet``, and the profilers' own files.

    Returns:
        ``trace`` of the result: what became of each level, and by how much the test was slowed. Whatever goes wrong is
        told there: the figure that was measured before does not depend on it.
    """
    folder = directory / FOLDER
    job = TraceJob(wish.levels, str(folder), wish.every, wish.first)
    traced, failure = None, ""
    try:
        traced = measure(shortened(plan), folder / LOGS, watch, runner_log, calibration=calibration, trace=job)
    except (RunError, UserError, OSError) as error:
        failure = f"the traced run failed: {error}"
    document: dict[str, Any] = {**NOTHING, "failure": failure}
    try:
        document |= assemble(directory, wish)
    except (RunError, UserError, OSError, ValueError) as error:
        document["failure"] = failure or f"the trace could not be put together: {error}"
    document["levels"] = describe_levels(wish.levels, document, plan.framework.name)
    document["slowdown"] = slowdown(untraced, traced, plan.test.scenario)
    return document


def shortened(plan: RunPlan) -> RunPlan:
    """The plan of the traced test: the same, for a shorter time, judged by nobody."""
    seconds = min(plan.test.duration_s or TRACED_S, TRACED_S)
    return plan.with_test(duration_s=seconds, min_queries=1, rules="quick")


def assemble(directory: Path, wish: TraceWish) -> dict[str, Any]:
    """Put together what the runner left: one tree, written to the run directory.

    Raises:
        ValueError, OSError, UserError: nothing can be made of it, or the disk refuses.
    """
    folder = directory / FOLDER
    about = _about(folder)
    anchor = _anchor(about)
    recorded = read_queries(folder, folder / LOGS)
    phases = phases_of(about)
    spans = [query_spans(recorded, phases, _end(recorded, phases))]
    others, unreadable = _load(folder, anchor)
    table = with_parents(concatenate([part.table(anchor) for part in [*spans, *others]]))
    table = keep(with_queries(table), recorded, wish)
    write_spans(directory / SPANS, table)
    readings = [reading for part in others for reading in part.readings(anchor)]
    if readings:
        write_readings(directory / TELEMETRY, readings)
    return {
        "sources": _with_unreadable(about.get("sources", []), unreadable),
        "counts": table.counts(),
        "queries": len(np.unique(table.query[table.query >= 0])),
        "dropped": recorded.dropped + sum(part.dropped for part in others),
        "clock": describe_clock(anchor),
        "placed": placed(table),
    }


def describe_clock(anchor: Anchor | None) -> dict[str, int] | None:
    """How the clocks were brought together; None for a run that ended before it could tell."""
    if anchor is None:
        return None
    return {"offset_ns": anchor.offset_ns, "step_ns": anchor.step_ns, "window_ns": anchor.before.window_ns}


def with_queries(table: SpanTable) -> SpanTable:
    """Every span with the number of its query, which it has from its parent."""
    query = table.query.copy()
    while True:
        open_ = (query < 0) & (table.parent > 0)
        inherited = np.where(open_, query[table.parent - 1], query)
        if np.array_equal(inherited, query):
            return replace(table, query=query)
        query = inherited


def keep(table: SpanTable, recorded: Recorded, wish: TraceWish) -> SpanTable:
    """Only the levels asked for, and of the queries those asked for; with new ids, so that parents stay rows."""
    wanted = np.isin(table.level, [LEVELS.index(level) for level in wish.levels])
    if wish.every > 1 or wish.first:
        chosen = np.fromiter(sampled(recorded.queries, wish.every, wish.first), np.int64)
        wanted &= (table.query < 0) | np.isin(table.query, chosen)
        # what nothing places is not of a query that was asked for
        wanted &= ~((table.query < 0) & np.isin(table.level, (MODEL, FRAMEWORK, LIBRARY)))
    return _renumbered(table, wanted)


def _renumbered(table: SpanTable, wanted: npt.NDArray[np.bool_]) -> SpanTable:
    """The wanted rows; a parent that is not wanted is replaced by its own next wanted parent."""
    parent = table.parent.copy()
    while True:
        lost = (parent > 0) & ~wanted[parent - 1]
        if not lost.any():
            break
        parent[lost] = table.parent[parent[lost] - 1]
    ids = np.concatenate(([0], np.cumsum(wanted) * wanted))
    kept = replace(table, parent=ids[parent], id=ids[1:])
    return kept.take(np.flatnonzero(wanted))


def placed(table: SpanTable) -> dict[str, float]:
    """The share of operators that stand under a call of the model, and of primitives that stand under an operator."""
    return {
        LEVELS[level]: float(_under(table, level, above).mean())
        for level, above in ((FRAMEWORK, MODEL), (LIBRARY, FRAMEWORK))
        if (table.level == level).any() and (table.level == above).any()
    }


def _under(table: SpanTable, level: int, above: int) -> npt.NDArray[np.bool_]:
    rows = np.flatnonzero(table.level == level)
    ancestor, found = table.parent[rows], np.zeros(len(rows), bool)
    while (ancestor > 0).any():
        known = ancestor > 0
        found[known] |= table.level[ancestor[known] - 1] == above
        ancestor = np.where(known, table.parent[np.maximum(ancestor, 1) - 1], 0)
    return found


def slowdown(untraced: Measured | None, traced: Measured | None, scenario: str) -> dict[str, Any] | None:
    """By how much tracing slowed the test: samples a second of Offline, else the median latency in nanoseconds."""
    name = speed_name(scenario)
    before, after = speed(untraced, scenario), speed(traced, scenario)
    if not before or not after:
        return None
    return {"figure": name, "untraced": before, "traced": after, "percent": 100 * (slower(before, after, scenario) - 1)}


def speed_name(scenario: str) -> str:
    """The figure by which a short test is held against another."""
    return "result_samples_per_second" if scenario == "Offline" else "p50"


def speed(measured: Measured | None, scenario: str) -> float | None:
    """That figure of a test: samples a second, or the median latency in nanoseconds; None when there is none."""
    if measured is None:
        return None
    known = measured.log.values if scenario == "Offline" else measured.log.latencies(scenario)
    return known.get(speed_name(scenario)) or None


def slower(before: float, after: float, scenario: str) -> float:
    """How many times as slow the second test was, by that figure of both."""
    return before / after if scenario == "Offline" else after / before


def describe_levels(levels: Sequence[str], document: Mapping[str, Any], framework: str) -> dict[str, dict[str, Any]]:
    """What became of each level: ``recorded``, ``missing`` or ``broken``, and why."""
    return {level: _describe_level(level, document, framework) for level in levels}


def _describe_level(level: str, document: Mapping[str, Any], framework: str) -> dict[str, Any]:
    count = document.get("counts", {}).get(level, 0)
    sources = [source for source in document["sources"] if source["level"] == level]
    readings = sum(source["readings"] for source in sources if source["state"] == "recorded")
    reasons = [source["reason"] for source in sources if source["reason"]]
    broken = [source for source in sources if source["state"] == "broken"]
    if count or readings:
        state = "recorded"
    elif document["failure"] or broken:
        state = "broken"
        reasons = reasons or [document["failure"]]
    else:
        state = "missing"
        reasons = reasons or [_nothing(level, framework, sources)]
    return {"state": state, "spans": count, "readings": readings, "reasons": reasons}


def _nothing(level: str, framework: str, sources: Sequence[Mapping[str, Any]]) -> str:
    if level in (LEVELS[APPLICATION], LEVELS[MODEL]):
        return "no query was completed"
    if not sources:
        return f"no installed plugin has a tracer of this level for {framework}"
    return f"{', '.join(source['name'] for source in sources)} recorded nothing"


def _about(folder: Path) -> dict[str, Any]:
    """What the runner said of its tracers; nothing of a runner that was ended before it could."""
    path = folder / SOURCES
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def _anchor(about: Mapping[str, Any]) -> Anchor | None:
    if "before" not in about:
        return None
    return Anchor(Offset(**about["before"]), Offset(**about["after"]))


def _load(folder: Path, anchor: Anchor | None) -> tuple[list[Spans], dict[str, str]]:
    """What the tracers left; and for each file of which nothing can be made, why."""
    found, unreadable = [], {}
    for path in sorted(folder.glob("*.npz")):
        try:
            spans = Spans.load(path)
        except ValueError as error:
            unreadable[path.stem] = str(error)
            continue
        if anchor is None and spans.clock == "wall":
            unreadable[path.stem] = f"{path.name}: the run ended before its clocks were compared"
        else:
            found.append(spans)
    return found, unreadable


def _with_unreadable(sources: Sequence[dict[str, Any]], unreadable: Mapping[str, str]) -> list[dict[str, Any]]:
    """The sources, those of an unreadable file as broken. A source's second file has a number after its name."""
    return [
        next(({**source, "state": "broken", "reason": reason} for stem, reason in unreadable.items()
              if stem == source["name"] or re.fullmatch(re.escape(source["name"]) + r"-\d+", stem)), source)
        for source in sources
    ]  # fmt: skip


def _end(recorded: Recorded, phases: Sequence[tuple[str, int]]) -> int:
    last = max((query.end for query in recorded.queries), default=0)
    return max(last, phases[-1][1] if phases else monotonic_ns())
