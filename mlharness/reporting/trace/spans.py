"""The spans of a stretch of time, read as they are drawn: clipped by a budget, each with its thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mlharness.reporting.trace.windows import Window
from mlharness.trace.levels import LEVELS

MOST = 30_000
"""Spans of one window: more than a screen shows, and a page draws so many in a few milliseconds."""

_WITHIN = """
    FROM spans WHERE start_ns < $end AND start_ns + duration_ns > $start
    AND NOT (level = 'application' AND kind IN ('run', 'phase')) AND NOT (level = 'system' AND kind = 'thread')
"""
_ROWS = f"""
    SELECT id, parent, query, list_position({list(LEVELS)}, level) - 1, name, kind, start_ns, duration_ns, thread,
           source, parentage = 'alone', attributes
    {_WITHIN} ORDER BY duration_ns DESC, start_ns, id LIMIT {MOST}
"""
_COUNT = f"SELECT count(*) {_WITHIN}"
_NAMES = "SELECT thread, any_value(name) FROM spans WHERE level = 'system' AND kind = 'thread' GROUP BY thread"
_INSTANCES = """
    SELECT thread, any_value(CAST(attributes ->> 'instance' AS BIGINT)) FROM spans
    WHERE level = 'model' AND kind = 'predict' GROUP BY thread
"""


class Span(NamedTuple):
    """One span. ``level`` is its place in :data:`LEVELS`; ``thread`` its own, else that of the span above, else 0;
    ``alone`` on a timeline of its own, as when a thread ran."""

    id: int
    parent: int
    query: int
    level: int
    name: str
    kind: str
    start: int
    length: int
    thread: int
    source: str
    alone: bool
    attributes: str | None

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.length


@dataclass(frozen=True)
class Threads:
    """What threads are called, and which instance of the model each is."""

    names: Mapping[int, str]
    instances: Mapping[int, int]

    def label(self, thread: int) -> str:
        """As a person would call it."""
        if thread in self.instances:
            return f"instance {self.instances[thread]}"
        name = self.names.get(thread, "thread")
        return name if name.endswith(f" {thread}") else f"{name} {thread}"


def read_threads(database: Any) -> Threads:
    """The threads of a trace."""
    names = dict(database.execute(_NAMES).fetchall())
    found = database.execute(_INSTANCES).fetchall()
    return Threads(names, {thread: instance for thread, instance in found if thread and instance is not None})


def read_spans(database: Any, window: Window) -> tuple[list[Span], int]:
    """The spans of a window by start, outer before inner, and how many it has: of too many, the shortest are left out.

    A span whose source tells no thread has that of the span above it.
    """
    bounds = {"start": window.start, "end": window.end}
    (count,) = database.execute(_COUNT, bounds).fetchone()
    spans = [Span(*row) for row in database.execute(_ROWS, bounds).fetchall()]
    return with_threads(sorted(spans, key=lambda span: (span.start, -span.length, span.level, span.id))), count


def with_threads(spans: Sequence[Span]) -> list[Span]:
    """Each with the thread of the nearest span at or above it that has one."""
    known = {span.id: span for span in spans}
    threads: dict[int, int] = {0: 0}
    for span in spans:
        way: list[int] = []
        one: Span | None = span
        while one is not None and one.id not in threads:
            threads[one.id] = one.thread  # also the end for spans that name each other as parents
            if one.thread:
                break
            way.append(one.id)
            one = known.get(one.parent)
        if one is not None:
            threads.update(dict.fromkeys(way, threads[one.id]))
    return [span if span.thread else span._replace(thread=threads[span.id]) for span in spans]
