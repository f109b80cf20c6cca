"""The spans of a run, row by row, and the tracks on which a viewer draws them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlharness.errors import UserError
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import open_trace
from mlharness.trace.tree import TOLERANCE_NS

_QUERY = f"""
    SELECT span.id, span.parent, span.query, span.level, span.name, span.kind, span.start_ns, span.duration_ns,
           CASE WHEN span.thread <> 0 OR span.parent = 0 THEN span.thread ELSE above.thread END AS thread,
           span.source, span.parentage, span.attributes,
           CASE WHEN span.parentage = 'enclosed' THEN greatest(span.start_ns, above.start_ns) ELSE span.start_ns END
               AS shown_ns
    FROM spans span LEFT JOIN spans above ON above.id = span.parent
    ORDER BY shown_ns, span.start_ns + span.duration_ns DESC, list_position({list(LEVELS)}, span.level), span.id
"""  # noqa: S608  # the names of levels are the kernel's own
_READINGS = "SELECT source, name, unit, time_ns, value FROM telemetry ORDER BY time_ns, name"
_AT_ONCE = 50_000
CALLS = "calls"
"""What the track of a thread shows that calls the model."""


class Row(NamedTuple):
    """One span. ``thread`` is its own, or where its source tells none that of its parent; 0 when neither is known.

    ``shown_ns`` is where it is drawn: profilers round, so that it may begin a little before the span that encloses it.
    """

    id: int
    parent: int
    query: int
    level: str
    name: str
    kind: str
    start_ns: int
    duration_ns: int
    thread: int
    source: str
    parentage: str
    attributes: str | None
    shown_ns: int

    @property
    def end_ns(self) -> int:
        """Where it ends."""
        return self.start_ns + self.duration_ns

    def facts(self) -> dict[str, Any]:
        """Its attributes, and what else is worth showing beside name and times."""
        known: dict[str, Any] = json.loads(self.attributes) if self.attributes else {}
        facts = {"level": self.level, "kind": self.kind, "source": self.source, **known}
        if self.query >= 0:
            facts["query"] = self.query
        return facts


class Reading(NamedTuple):
    """One reading of a counter."""

    source: str
    name: str
    unit: str
    time_ns: int
    value: float


@dataclass(frozen=True)
class Trace:
    """A run's trace: its spans by start, outer before inner, and its readings by time.

    ``offset_ns`` is what the wall clock (Unix epoch) was ahead of the spans' clock.
    """

    run_id: str
    rows: Sequence[Row]
    readings: Sequence[Reading]
    offset_ns: int
    result: Mapping[str, Any]


def read_trace(run: Path) -> Trace:
    """The trace of a run directory. Raises UserError when there is none, or it cannot be read."""
    with open_trace(run) as database:
        rows = [Row(*row) for part in _parts(database.execute(_QUERY)) for row in part]
        readings = [Reading(*row) for row in database.execute(_READINGS).fetchall()]
    try:
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
        clock = result["trace"]["clock"] or {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{run / 'result.json'} cannot be read: {error}", "Is the run complete?") from error
    return Trace(run.name, rows, readings, int(clock.get("offset_ns", 0)), result)


def _parts(cursor: Any) -> Iterator[list[tuple[Any, ...]]]:
    while part := cursor.fetchmany(_AT_ONCE):
        yield part


class Track(NamedTuple):
    """A line of a viewer on which spans nest: what it shows, its thread (0 for none), and its place among equals."""

    what: str
    thread: int
    lane: int

    @property
    def label(self) -> str:
        """As a viewer shows it."""
        thread = f" {self.thread}" if self.thread else ""
        lane = f" ({self.lane + 1})" if self.lane else ""
        return f"{self.what}{thread}{lane}"


class Placed(NamedTuple):
    """A span on its track. Its bounds may be cut by what profilers round, so that spans of one track always nest."""

    row: Row
    track: Track
    start_ns: int
    end_ns: int


def place(rows: Sequence[Row]) -> Iterator[Placed]:
    """Put every span on a track, in the order of the rows: on the first of its kind on which it nests or is alone."""
    open_: dict[tuple[str, int], list[list[int]]] = {}
    for row in rows:
        what = kind_of_track(row)
        lanes = open_.setdefault((what, row.thread), [])
        number, end = _lane(row, lanes)
        lanes[number].append(end)
        yield Placed(row, Track(what, row.thread, number), row.shown_ns, end)


def _lane(row: Row, lanes: list[list[int]]) -> tuple[int, int]:
    """The first lane on which the span nests or is alone, a new one if need be, and where it ends there."""
    for number, stack in enumerate(lanes):
        if (end := _fits(row, stack)) is not None:
            return number, end
    lanes.append([])
    return len(lanes) - 1, row.end_ns


def kind_of_track(row: Row) -> str:
    """What the track of a span shows."""
    if row.parentage == "alone":
        return "thread" if row.level == "system" else row.source
    if row.kind in ("run", "phase"):
        return "run"
    if row.level == "system" and not row.thread:
        return "device"
    return CALLS if row.thread else "queries"


def _fits(row: Row, stack: list[int]) -> int | None:
    """Where the span ends on this lane; None when it would reach out of what is open there."""
    while stack and stack[-1] <= row.shown_ns:
        stack.pop()
    if not stack or row.end_ns <= stack[-1]:
        return row.end_ns
    return stack[-1] if row.end_ns - stack[-1] <= 2 * TOLERANCE_NS else None
