"""Parents on another thread: of work that was handed to a pool, and of primitives, whose source tells no thread.

Where spans of several threads enclose such a one, the innermost level decides. What is left is a primitive with an
operator on each of several threads. Its type may say which of them computes such a primitive; the primitives whose
operator is certain show which do, and how many of them; and a thread computes one primitive at a time. What all of this
does not settle stays ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mlharness.trace.enclosing import Bounds, Enclosed
from mlharness.trace.levels import FRAMEWORK, LIBRARY
from mlharness.trace.matching import Shown, fits
from mlharness.trace.spans import Integers, SpanTable

OVERLAP_NS = 1_000
"""Two primitives run at the same time when they overlap by more: the source's times have steps of 244 ns."""
Candidates = dict[int, list[int]]
"""For a row, the rows that could be its parent."""


def find_elsewhere(
    table: SpanTable, bounds: Bounds, enclosed: Enclosed, orphans: Integers
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """For each of ``orphans`` the row of its parent on another thread, -1 for none; and whether several could be it."""
    deepest = np.full(len(orphans), -1, np.int64)
    chosen, count = deepest.copy(), np.zeros(len(orphans), np.int64)
    for which, rows in _enclosing_each(table, bounds, enclosed, orphans):
        level = np.where(rows >= 0, bounds.level[rows], -1)
        better, same = level > deepest[which], (level == deepest[which]) & (level >= 0)
        count[which] = np.where(better, 1, count[which] + same)
        chosen[which] = np.where(better, rows, chosen[which])
        deepest[which] = np.maximum(deepest[which], level)
    unclear = count > 1
    if unclear.any():
        places = {int(orphans[place]): int(place) for place in np.flatnonzero(unclear)}
        several = _all_candidates(table, bounds, enclosed, orphans[unclear], deepest[unclear])
        known = dict(zip(orphans[~unclear].tolist(), chosen[~unclear].tolist(), strict=True))
        for row, parent in _settle(table, bounds, enclosed, several, known).items():
            chosen[places[row]], unclear[places[row]] = parent, False
    chosen[unclear] = -1
    return chosen, unclear


def _enclosing_each(
    table: SpanTable, bounds: Bounds, enclosed: Enclosed, orphans: Integers
) -> Iterator[tuple[Integers, Integers]]:
    """For each thread: which orphans are not its own, by their places, and what encloses them there."""
    threads, levels = table.thread[orphans], bounds.level[orphans]
    for timeline in enclosed.timelines:
        which = np.flatnonzero((threads != timeline.thread) & (levels > timeline.outermost))
        if len(which):
            yield which, timeline.innermost(bounds, enclosed.enclosing, orphans[which])


def _all_candidates(
    table: SpanTable, bounds: Bounds, enclosed: Enclosed, orphans: Integers, deepest: Integers
) -> Candidates:
    several: Candidates = {row: [] for row in orphans.tolist()}
    for which, rows in _enclosing_each(table, bounds, enclosed, orphans):
        right = (rows >= 0) & (np.where(rows >= 0, bounds.level[rows], -1) == deepest[which])
        for row, candidate in zip(orphans[which[right]].tolist(), rows[right].tolist(), strict=True):
            several[row].append(candidate)
    return several


def _settle(
    table: SpanTable, bounds: Bounds, enclosed: Enclosed, several: Candidates, known: Mapping[int, int]
) -> dict[int, int]:
    """The parents of those primitives among ``several`` for which one candidate alone is left."""
    open_ = {row: found for row, found in several.items() if _threadless(table, row)}
    certain = {row: parent for row, parent in known.items() if parent >= 0 and _threadless(table, row)}
    for row, found in open_.items():
        kind = table.text("kind", row)
        open_[row] = [one for one in found if _computes(table, enclosed, one, kind)] or found
    threads: list[int] = table.thread.tolist()
    settled: dict[int, int] = {}
    while open_:  # each round shows more than the one before
        shown = Shown(table, bounds, enclosed, certain)
        narrowed = {row: shown.narrow(row, found) for row, found in open_.items()}
        _one_at_a_time(threads, bounds, narrowed, {row: [parent] for row, parent in certain.items()})
        new = {row: found[0] for row, found in narrowed.items() if len(found) == 1}
        if not new:
            break
        settled |= new
        certain |= new
        open_ = {row: found for row, found in narrowed.items() if row not in new}
    return settled


def _threadless(table: SpanTable, row: int) -> bool:
    return bool(table.level[row] == LIBRARY and table.thread[row] == 0)


def _computes(table: SpanTable, enclosed: Enclosed, row: int, primitive: str) -> bool:
    """Whether the operator in this row, or one around it, is of a type that computes by this kind of primitive."""
    while row >= 0 and table.level[row] == FRAMEWORK:
        if fits(primitive, table.text("kind", row)):
            return True
        row = int(enclosed.enclosing[row])
    return False


def _one_at_a_time(threads: Sequence[int], bounds: Bounds, open_: Candidates, known: Candidates) -> None:
    """Strike from ``open_`` the candidates on threads that computed another primitive at that time."""
    beside = _overlapping(bounds, open_, known)
    both = known | open_
    settled = [row for row, found in both.items() if len(found) == 1]
    while settled:
        row = settled.pop()
        thread = threads[both[row][0]]
        for other in beside.get(row, ()):
            if other not in open_ or len(both[other]) == 1:
                continue
            left = [one for one in both[other] if threads[one] != thread]
            if left and len(left) < len(both[other]):
                open_[other] = both[other] = left
                if len(left) == 1:
                    settled.append(other)


def _overlapping(bounds: Bounds, open_: Candidates, known: Candidates) -> dict[int, list[int]]:
    """Which of the rows run at the same time, where one of the two is open."""
    rows = np.fromiter([*open_, *known], np.int64)
    rows = rows[np.argsort(bounds.start[rows], kind="stable")]
    beside: dict[int, list[int]] = {}
    running: list[tuple[int, int]] = []
    for row, start, end in zip(rows.tolist(), bounds.start[rows].tolist(), bounds.end[rows].tolist(), strict=True):
        running = [(until, other) for until, other in running if until > start + OVERLAP_NS]
        if end > start + OVERLAP_NS:
            for _, other in running:
                if row in open_ or other in open_:
                    beside.setdefault(row, []).append(other)
                    beside.setdefault(other, []).append(row)
            running.append((end, row))
    return beside
