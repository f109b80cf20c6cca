"""Slices of threads: when each ran, wanted to run and could not, or waited, as the system level has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlharness.trace.spans import Integers

RUNNING, PREEMPTED, BLOCKED = "running", "preempted", "blocked"
KINDS = (RUNNING, PREEMPTED, BLOCKED)
_FAR = 1 << 62
"""Nanoseconds that no clock shows."""


def union(intervals: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same stretches of time, in order and without overlap."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


@dataclass(frozen=True)
class Line:
    """Slices of one kind of one thread: int64 [n] each, in order, none of which overlap."""

    starts: Integers
    ends: Integers

    def within(self, starts: npt.ArrayLike, ends: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """How many nanoseconds of each stretch lie in the slices, float64 [m]."""
        return np.asarray(self._before(ends) - self._before(starts), np.float64)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Start and end of each."""
        return list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))

    @property
    def total(self) -> int:
        """The sum of the slices' lengths, nanoseconds."""
        return int((self.ends - self.starts).sum())

    def both(self, other: Line) -> Line:
        """The time that lies in slices of both."""
        found, mine, theirs = [], 0, 0
        a, b = self.pairs, other.pairs
        while mine < len(a) and theirs < len(b):
            start, end = max(a[mine][0], b[theirs][0]), min(a[mine][1], b[theirs][1])
            if end > start:
                found.append((start, end))
            if a[mine][1] < b[theirs][1]:
                mine += 1
            else:
                theirs += 1
        return line_of(found)

    def without(self, other: Line) -> Line:
        """The time that lies in slices of this one only."""
        edges = [-_FAR, *np.stack((other.starts, other.ends), axis=1).ravel().tolist(), _FAR]
        return self.both(line_of(list(zip(edges[::2], edges[1::2], strict=True))))

    def _before(self, moments: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Nanoseconds of slices that lie before each moment."""
        moments = np.asarray(moments, np.int64)
        if not len(self.starts):
            return np.zeros(len(moments), np.float64)
        done = np.concatenate(([0], np.cumsum(self.ends - self.starts)))
        begun = np.searchsorted(self.starts, moments, side="right")
        last = np.maximum(begun - 1, 0)
        beyond = np.where(begun > 0, np.maximum(self.ends[last] - moments, 0), 0)
        return np.asarray(done[begun] - beyond, np.float64)


def line_of(stretches: Sequence[tuple[int, int]]) -> Line:
    """A line of any stretches of time; those that touch or overlap become one."""
    pairs = np.array(union(stretches), np.int64).reshape(-1, 2)
    return Line(pairs[:, 0], pairs[:, 1])


NOTHING = Line(np.empty(0, np.int64), np.empty(0, np.int64))


class Slices:
    """All slices of a trace, by thread and kind."""

    def __init__(self, rows: Iterable[tuple[int, str, int, int]]) -> None:
        """``rows``: thread, kind, start and duration in nanoseconds, in order of their start."""
        found: dict[tuple[int, str], tuple[list[int], list[int]]] = {}
        for thread, kind, start, duration in rows:
            starts, ends = found.setdefault((thread, kind), ([], []))
            starts.append(start)
            ends.append(start + duration)
        self._lines = {
            key: Line(np.array(starts, np.int64), np.array(ends, np.int64)) for key, (starts, ends) in found.items()
        }

    def __bool__(self) -> bool:
        return bool(self._lines)

    def of(self, thread: int, kind: str) -> Line:
        """The slices of a thread."""
        return self._lines.get((thread, kind), NOTHING) if self._lines else NOTHING

    @property
    def threads(self) -> list[int]:
        """Every thread that is known."""
        return sorted({thread for thread, _ in self._lines})

    def sums(
        self, kind: str, threads: npt.ArrayLike, starts: npt.ArrayLike, ends: npt.ArrayLike
    ) -> npt.NDArray[np.float64]:
        """For each stretch of a thread, the nanoseconds in slices of the kind: float64 [m]."""
        owner, first, last = np.asarray(threads), np.asarray(starts), np.asarray(ends)
        found = np.zeros(len(first), np.float64)
        for thread in np.unique(owner):
            rows = owner == thread
            found[rows] = self.of(int(thread), kind).within(first[rows], last[rows])
        return found


NOTHING_KNOWN = Slices(())


def read_slices(database: Any) -> Slices:
    """Those of an opened trace."""
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    query = f"SELECT thread, kind, start_ns, duration_ns FROM spans WHERE level = 'system' AND kind IN ({kinds})"  # noqa: S608  # constants
    return Slices(database.execute(f"{query} ORDER BY start_ns").fetchall())


def without(stretch: tuple[int, int], others: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of a stretch of time when others are taken out."""
    left, at = [], stretch[0]
    for start, end in union(others):
        if start > at:
            left.append((at, min(start, stretch[1])))
        at = max(at, end)
        if at >= stretch[1]:
            break
    if at < stretch[1]:
        left.append((at, stretch[1]))
    return [(start, end) for start, end in left if end > start]
