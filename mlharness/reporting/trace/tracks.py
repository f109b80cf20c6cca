"""Where on the timeline each span is drawn: grouped by thread, a lane for each level, as many rows as it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mlharness.reporting.trace.spans import Span, Threads
from mlharness.trace.levels import SYSTEM
from mlharness.trace.tree import TOLERANCE_NS

MOST_ROWS = 24
"""Rows of one lane: where more queries than these overlap, the rest are not drawn, which is told."""
MOST_THREADS = 24
"""Groups of a window; threads that call no model come last."""
QUERIES, THREAD, DEVICE, SOURCE = range(4)
"""What a group shows: queries, a thread, a device, a source that tells no threads."""

Key = tuple[int, int, str]
"""Of a group: what it shows, its thread (0 for none), and its source where it has no thread."""


@dataclass
class Lane:
    """The spans of one level in a group, each with its row. ``hidden`` found no row."""

    level: int
    rows: list[list[int]] = field(default_factory=list)
    """Places of spans among those of the window, by row, each in order of start."""
    hidden: int = 0


@dataclass
class Group:
    """What is drawn together, the outermost level first. ``calls``: a thread that calls the model, or works for it."""

    label: str
    thread: int
    lanes: list[Lane]
    calls: bool


def tracks_of(spans: Sequence[Span], threads: Threads) -> list[Group]:
    """The groups of a window's spans, which are in order of start; of too many groups the first."""
    lanes: dict[Key, dict[int, _Filling]] = {}
    rows: dict[int, tuple[Key, int, int]] = {}
    for place, span in enumerate(spans):
        key = group_of(span)
        filling = lanes.setdefault(key, {}).setdefault(span.level, _Filling(Lane(span.level)))
        above = rows.get(span.parent)
        least = above[2] + 1 if above is not None and above[:2] == (key, span.level) else 0
        row = filling.put(place, span, least)
        if row is not None:
            rows[span.id] = (key, span.level, row)
    first = sorted(lanes.items(), key=lambda one: _order(one, threads))[:MOST_THREADS]
    return [_group(key, found, threads) for key, found in first]


def group_of(span: Span) -> Key:
    """The group of a span."""
    if span.thread:
        return THREAD, span.thread, ""
    if span.level == SYSTEM and not span.alone:
        return DEVICE, 0, ""
    return (SOURCE, 0, span.source) if span.alone or span.level else (QUERIES, 0, "")


class _Filling:
    """A lane to which spans are added by start."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._ends: list[int] = []

    def put(self, place: int, span: Span, least: int) -> int | None:
        """The first row from ``least`` on in which nothing is in the way, a new one if need be; None without room."""
        while len(self._ends) < least and len(self._ends) < MOST_ROWS:
            self._add()
        row = next((row for row in range(least, len(self._ends)) if self._free(row, span)), len(self._ends))
        if row >= MOST_ROWS:
            self.lane.hidden += 1
            return None
        if row == len(self._ends):
            self._add()
        self.lane.rows[row].append(place)
        self._ends[row] = max(self._ends[row], span.end)
        return row

    def _free(self, row: int, span: Span) -> bool:
        """Profilers round, so that a span may seem to begin a little before the one ahead of it ends."""
        return self._ends[row] <= span.start + min(TOLERANCE_NS, span.length // 2)

    def _add(self) -> None:
        self._ends.append(-1 << 62)
        self.lane.rows.append([])


def _order(one: tuple[Key, Mapping[int, _Filling]], threads: Threads) -> tuple[bool, int, int, int, str]:
    """Threads of which only is known when they ran come last, those of instances by number."""
    (what, thread, source), lanes = one
    return not _calls(what, thread, lanes, threads), what, threads.instances.get(thread, 1 << 30), thread, source


def _calls(what: int, thread: int, lanes: Mapping[int, _Filling], threads: Threads) -> bool:
    return what != THREAD or thread in threads.instances or set(lanes) != {SYSTEM}


def _group(key: Key, lanes: Mapping[int, _Filling], threads: Threads) -> Group:
    what, thread, source = key
    label = {QUERIES: "queries", THREAD: threads.label(thread), DEVICE: "device", SOURCE: source}[what]
    drawn = [lanes[level].lane for level in sorted(lanes)]
    return Group(label, thread, drawn, _calls(what, thread, lanes, threads))


def places(groups: Sequence[Group]) -> Iterator[int]:
    """The places of all spans that are drawn, row by row."""
    for group in groups:
        for lane in group.lanes:
            for row in lane.rows:
                yield from row
