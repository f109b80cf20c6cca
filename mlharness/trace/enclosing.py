"""Which span encloses which on one thread: a sweep over each thread with a stack of what is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlharness.trace.spans import Integers, SpanTable


@dataclass(frozen=True)
class Bounds:
    """When spans begin and end, and what of each a span further out must enclose: int64 [n], in nanoseconds.

    ``first`` and ``last`` leave out the tolerance on both sides, and at least the span's middle in.
    """

    start: Integers
    end: Integers
    first: Integers
    last: Integers
    level: Integers
    tolerance_ns: int

    @classmethod
    def of(cls, table: SpanTable, tolerance_ns: int) -> Bounds:
        """The bounds of all spans of a table."""
        inset = np.minimum(tolerance_ns, table.duration // 2)
        end = table.end
        return cls(table.start, end, table.start + inset, end - inset, table.level, tolerance_ns)


@dataclass(frozen=True)
class Timeline:
    """The spans of one thread in the order in which they begin; rows of the table, int64 [m].

    ``begins`` is that order, where a span begins no earlier than what encloses it.
    """

    thread: int
    rows: Integers
    begins: Integers
    outermost: int

    def innermost(self, bounds: Bounds, enclosing: Integers, guests: Integers) -> Integers:
        """For each of ``guests``, spans of other threads: the innermost row here that encloses it, -1 for none."""
        place = np.searchsorted(self.begins, bounds.first[guests], side="right") - 1
        row = np.where(place >= 0, self.rows[place], -1)
        while True:
            unfit = (row >= 0) & ((bounds.end[row] < bounds.last[guests]) | (bounds.level[row] >= bounds.level[guests]))
            if not unfit.any():
                return row
            row[unfit] = enclosing[row[unfit]]


@dataclass(frozen=True)
class Enclosed:
    """For each row the innermost of its thread that encloses it, -1 for none; and the threads.

    ``twin``: the span has the very bounds and level of another, so that it cannot be told which encloses the other:
    neither does, and both have one parent.
    """

    enclosing: Integers
    twin: npt.NDArray[np.bool_]
    timelines: list[Timeline]


def enclose(table: SpanTable, bounds: Bounds, wanted: npt.NDArray[np.bool_]) -> Enclosed:
    """Sweep over every thread; spans without one, and those that are not wanted, enclose nothing."""
    enclosing, twin = np.full(len(table), -1, np.int64), np.zeros(len(table), np.bool_)
    order = _order(bounds)
    order = order[wanted[order] & (table.thread[order] != 0)]
    threads = table.thread[order]
    timelines = []
    for rows in _by_thread(order, threads):
        found = list(_sweep(rows, bounds))
        enclosing[rows] = [one for one, _ in found]
        twin[rows] = [other for _, other in found]
        timelines.append(_timeline(int(table.thread[rows[0]]), rows[~twin[rows]], enclosing, bounds))
    return Enclosed(enclosing, twin, timelines)


def _order(bounds: Bounds) -> Integers:
    """All rows in the order in which they are opened.

    What is further out comes first, even if it seems to begin later, by no more than the tolerance of each level.
    """
    opened = bounds.start + bounds.tolerance_ns * bounds.level
    return np.lexsort((bounds.level, -bounds.end, opened))


def _by_thread(order: Integers, threads: Integers) -> Iterator[Integers]:
    by_thread = np.argsort(threads, kind="stable")
    cuts = np.flatnonzero(np.diff(threads[by_thread])) + 1
    return (rows for rows in np.split(order[by_thread], cuts) if len(rows))


def _sweep(rows: Integers, bounds: Bounds) -> Iterator[tuple[int, bool]]:
    """For each row the innermost open one that encloses it, and whether it is a twin of the row before."""
    columns = (bounds.start, bounds.end, bounds.first, bounds.last, bounds.level)
    starts, ends, firsts, lasts, levels = (column[rows].tolist() for column in columns)
    numbers: list[int] = rows.tolist()
    tolerance = bounds.tolerance_ns
    slack = tolerance * max(levels)
    stack: list[int] = []
    before, found = (0, -1, 0), -1
    for place, (start, end, first, last, level) in enumerate(zip(starts, ends, firsts, lasts, levels, strict=True)):
        if before == (start, end, level):
            yield found, True
            continue
        ended = start + tolerance * level - slack  # before this nothing begins any more
        while stack and ends[stack[-1]] < ended:
            stack.pop()
        found = -1
        for open_ in reversed(stack):
            further_out = levels[open_] < level or (levels[open_] == level and ends[open_] > start)
            if further_out and starts[open_] <= first and ends[open_] >= last:
                found = numbers[open_]
                break
        yield found, False
        stack.append(place)
        before = (start, end, level)


def _timeline(thread: int, rows: Integers, enclosing: Integers, bounds: Bounds) -> Timeline:
    begins: dict[int, int] = {-1: -(1 << 62)}
    for row, start, outer in zip(rows.tolist(), bounds.start[rows].tolist(), enclosing[rows].tolist(), strict=True):
        begins[row] = max(start, begins[outer])
    del begins[-1]
    ordered = np.fromiter(begins.values(), np.int64, len(rows))
    by_begin = np.argsort(ordered, kind="stable")
    return Timeline(thread, rows[by_begin], ordered[by_begin], int(bounds.level[rows].min()))
