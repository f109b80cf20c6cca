"""Who is whose parent: the spans of all levels become one tree.

A parent is known, in this order, because the source names it, because it launched the work (asynchronous work runs
later, or elsewhere), or because it encloses the span: on the span's own thread, else, where a source tells no thread
or work was handed to a pool, on exactly one thread. What two threads could equally have caused is marked, not guessed.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

import numpy as np

from mlharness.trace.elsewhere import find_elsewhere
from mlharness.trace.enclosing import Bounds, enclose
from mlharness.trace.parentage import ALONE, AMBIGUOUS, ENCLOSED, LAUNCHED, NAMED, NONE, PARENTAGE
from mlharness.trace.spans import NO_PARENT, Integers, SpanTable

__all__ = ["PARENTAGE", "TOLERANCE_NS", "with_parents"]

TOLERANCE_NS = 2_000
"""By how much a span may reach beyond one that is further out: profilers stamp in whole microseconds."""


def with_parents(table: SpanTable, tolerance_ns: int = TOLERANCE_NS) -> SpanTable:
    """The same spans, each with the id of its parent and how it is known.

    Args:
        table: as :func:`~mlharness.trace.spans.concatenate` gives it.
        tolerance_ns: see :data:`TOLERANCE_NS`; 0 where all times are exact.
    """
    parent, parentage = np.zeros(len(table), np.int64), np.full(len(table), NONE, np.int64)
    if len(table):
        parentage[table.parent == NO_PARENT] = ALONE
        _named(table, parent, parentage)
        _launched(table, parent, parentage, tolerance_ns)
        _enclosed(table, parent, parentage, tolerance_ns)
        _no_circles(parent, parentage)
    return replace(table, parent=parent, parentage=parentage)


def _named(table: SpanTable, parent: Integers, parentage: Integers) -> None:
    """Parents that a source names by its keys, which :func:`concatenate` has made different for all spans."""
    rows = np.flatnonzero(table.parent > 0)
    keyed = np.flatnonzero(table.key)
    if not len(rows) or not len(keyed):
        return
    keyed = keyed[np.argsort(table.key[keyed], kind="stable")]
    keys = table.key[keyed]
    place = np.minimum(np.searchsorted(keys, table.parent[rows]), len(keys) - 1)
    known = keys[place] == table.parent[rows]
    parent[rows[known]], parentage[rows[known]] = table.id[keyed[place[known]]], NAMED


def _launched(table: SpanTable, parent: Integers, parentage: Integers, tolerance_ns: int) -> None:
    """Parents that launched the span: of its own source if that has any, and of several the last that began before."""
    rows = np.flatnonzero((table.caused_by != 0) & (parentage == NONE))
    if not len(rows):
        return
    launching = np.flatnonzero(table.correlation)
    launching = launching[np.argsort(table.start[launching], kind="stable")]
    known: dict[tuple[int, int], list[int]] = {}
    for row, number, source in zip(launching.tolist(), table.correlation[launching].tolist(),
                                   table.source[launching].tolist(), strict=True):  # fmt: skip
        known.setdefault((source, number), []).append(row)
        known.setdefault((-1, number), []).append(row)
    starts: list[int] = table.start.tolist()
    for row in rows.tolist():
        number, source = int(table.caused_by[row]), int(table.source[row])
        launchers = known.get((source, number)) or known.get((-1, number)) or []
        found = [one for one in launchers if one != row]
        if found:
            before = bisect_right(found, starts[row] + tolerance_ns, key=starts.__getitem__)
            parent[row], parentage[row] = found[max(before - 1, 0)] + 1, LAUNCHED


def _enclosed(table: SpanTable, parent: Integers, parentage: Integers, tolerance_ns: int) -> None:
    """Parents by containment."""
    bounds = Bounds.of(table, tolerance_ns)
    found = enclose(table, bounds, parentage != ALONE)
    here = (parentage == NONE) & (found.enclosing >= 0)
    parent[here] = found.enclosing[here] + 1
    parentage[here] = np.where(found.twin[here], AMBIGUOUS, ENCLOSED)
    orphans = np.flatnonzero((parentage == NONE) & (table.level > 0))
    elsewhere, unclear = find_elsewhere(table, bounds, found, orphans)
    parent[orphans] = elsewhere + 1
    parentage[orphans] = np.where(unclear, AMBIGUOUS, np.where(elsewhere >= 0, ENCLOSED, NONE))


def _no_circles(parent: Integers, parentage: Integers) -> None:
    """A source that names parents in a circle tells nothing: its spans have none, and are marked."""
    up = np.concatenate(([0], parent))
    endless = up
    for _ in range(len(up).bit_length()):  # after so many doublings every way up has ended at 0
        endless = endless[endless]
    for start in np.flatnonzero(endless).tolist():
        seen, one = set(), start
        while one and one not in seen:
            seen.add(one)
            one = int(up[one])
        while one:  # which is on the circle
            following = int(up[one])
            up[one] = parent[one - 1] = 0
            parentage[one - 1] = AMBIGUOUS
            one = following
