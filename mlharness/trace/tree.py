"""Who is whose parent: the spans of all levels become one tree.

A parent is known, in this order, because the source names it, because it launched the work (asynchronous work runs
later, or elsewhere), or because it encloses the span: on the span's own thread, else, where a source tells no thread
or work was handed to a pool, on exactly one thread. What two threads could equally have caused is marked, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mlharness.trace.spans import NO_PARENT, Integers, SpanTable

PARENTAGE = ("none", "named", "launched", "enclosed", "ambiguous", "alone")
"""How a parent is known. ``none``: nothing encloses the span; ``alone``: it stands on a timeline of its own."""
NONE, NAMED, LAUNCHED, ENCLOSED, AMBIGUOUS, ALONE = range(len(PARENTAGE))

TOLERANCE_NS = 2_000
"""By how much a span may reach beyond one that is further out by a level: profilers stamp in whole microseconds."""


def with_parents(table: SpanTable, tolerance_ns: int = TOLERANCE_NS) -> SpanTable:
    """The same spans, each with the id of its parent and how it is known.

    Args:
        table: as :func:`~mlharness.trace.spans.concatenate` gives it.
        tolerance_ns: see :data:`TOLERANCE_NS`; 0 where all times are exact.
    """
    parent, parentage = np.zeros(len(table), np.int64), np.full(len(table), NONE, np.int64)
    if len(table):
        _alone(table, parentage)
        _named(table, parent, parentage)
        _launched(table, parent, parentage)
        _Enclosing(table, tolerance_ns).find(parent, parentage)
    return replace(table, parent=parent, parentage=parentage)


def _alone(table: SpanTable, parentage: Integers) -> None:
    parentage[table.parent == NO_PARENT] = ALONE


def _named(table: SpanTable, parent: Integers, parentage: Integers) -> None:
    """Parents that a source names by its own keys."""
    rows = np.flatnonzero(table.parent > 0)
    if not len(rows):
        return
    keyed = np.flatnonzero(table.key)
    known = dict(zip(zip(table.source[keyed].tolist(), table.key[keyed].tolist(), strict=True),
                     table.id[keyed].tolist(), strict=True))  # fmt: skip
    for row in rows.tolist():
        found = known.get((int(table.source[row]), int(table.parent[row])))
        if found is not None:
            parent[row], parentage[row] = found, NAMED


def _launched(table: SpanTable, parent: Integers, parentage: Integers) -> None:
    """Parents that launched the span; of several spans with one correlation the innermost, which began last."""
    rows = np.flatnonzero((table.caused_by != 0) & (parentage == NONE))
    if not len(rows):
        return
    launching = np.flatnonzero(table.correlation)
    launching = launching[np.argsort(table.start[launching], kind="stable")]
    known = dict(zip(table.correlation[launching].tolist(), table.id[launching].tolist(), strict=True))
    for row in rows.tolist():
        found = known.get(int(table.caused_by[row]))
        if found is not None:
            parent[row], parentage[row] = found, LAUNCHED


class _Enclosing:
    """Parents by containment: a sweep over each thread with a stack of what is open."""

    def __init__(self, table: SpanTable, tolerance_ns: int) -> None:
        self._table = table
        # A span further in is taken for shorter by the tolerance, on both sides, and for no less than its middle.
        inset = np.minimum(tolerance_ns * table.level, table.duration // 2)
        self._starts: list[int] = (table.start + inset).tolist()
        self._ends: list[int] = (table.end - inset).tolist()
        self._levels: list[int] = table.level.tolist()
        self._order = np.lexsort((table.level, -np.array(self._ends, np.int64), np.array(self._starts, np.int64)))

    def find(self, parent: Integers, parentage: Integers) -> None:
        """Fill in what is still open."""
        on_thread = (self._table.thread != 0) & (parentage != ALONE)
        threads = [self._order[on_thread[self._order] & (self._table.thread[self._order] == thread)]
                   for thread in np.unique(self._table.thread[on_thread])]  # fmt: skip
        for rows in threads:
            for row, enclosing, twin in self._sweep(rows.tolist()):
                if parentage[row] == NONE and enclosing >= 0:
                    parent[row] = enclosing + 1
                    parentage[row] = AMBIGUOUS if twin else ENCLOSED
        self._elsewhere(threads, parent, parentage)

    def _sweep(self, rows: Sequence[int], guests: frozenset[int] = frozenset()) -> Iterator[tuple[int, int, bool]]:
        """For each row, in order of its start: the innermost that encloses it, -1 for none.

        ``guests`` are spans of other threads, which enclose nothing here. The last is true for a span that has the
        very bounds and level of the one before it: which of them encloses the other cannot be told, so neither does.
        """
        starts, ends, levels = self._starts, self._ends, self._levels
        stack: list[int] = []
        last, last_found = -1, -1
        for row in rows:
            start, end, level = starts[row], ends[row], levels[row]
            if last >= 0 and start == starts[last] and end == ends[last] and level == levels[last] and not guests:
                yield row, last_found, True
                continue
            while stack and ends[stack[-1]] <= start and not (ends[stack[-1]] == start == end):
                stack.pop()
            found = next((open_ for open_ in reversed(stack) if ends[open_] >= end and levels[open_] <= level), -1)
            yield row, found, False
            if row not in guests:
                stack.append(row)
                last, last_found = row, found

    def _elsewhere(self, threads: list[Integers], parent: Integers, parentage: Integers) -> None:
        """What nothing encloses on its own thread may be the work of a span on another."""
        orphans = np.flatnonzero((parentage == NONE) & (self._table.level > 0))
        if not len(orphans):
            return
        best: dict[int, list[int]] = {row: [] for row in orphans.tolist()}
        for rows in threads:
            guests = np.setdiff1d(orphans, rows, assume_unique=True)
            if not len(guests):
                continue
            both = np.zeros(len(self._table), bool)
            both[rows], both[guests] = True, True
            known = frozenset(guests.tolist())
            for row, enclosing, _ in self._sweep(self._order[both[self._order]].tolist(), known):
                if row in known and enclosing >= 0 and self._levels[enclosing] < self._levels[row]:
                    best[row].append(enclosing)
        for row, candidates in best.items():
            deepest = max((self._levels[candidate] for candidate in candidates), default=-1)
            chosen = [candidate for candidate in candidates if self._levels[candidate] == deepest]
            if len(chosen) == 1:
                parent[row], parentage[row] = chosen[0] + 1, ENCLOSED
            elif chosen:
                parentage[row] = AMBIGUOUS
