"""Which parts of a trace are drawn span by span: a typical query, the slowest ones, the first ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness.trace.spans import Integers

FIRST = 10
"""So many queries, one after the other, are drawn from the beginning of the test."""
FEW = 3
"""With fewer queries than these a typical one says nothing, and batches are drawn; as ``mlh analyze --slowest``."""
MANY = 100
"""From so many on the 99th percentile is another query than the slowest."""

_UNITS = (
    ("query", """SELECT query AS number, start_ns, duration_ns
                 FROM spans WHERE level = 'application' AND kind = 'query'"""),
    ("batch", """SELECT CAST(attributes ->> 'batch' AS BIGINT) AS number, start_ns, duration_ns
                 FROM spans WHERE level = 'application' AND kind = 'batch'"""),
    ("call", "SELECT id AS number, start_ns, duration_ns FROM spans WHERE level = 'model' AND kind = 'predict'"),
)  # fmt: skip


@dataclass(frozen=True)
class Units:
    """What a run consists of, by start: queries; batches where there are too few queries; calls of the model where the
    trace has neither. ``number`` names each, int64 [n], as do ``start`` and ``length``, in nanoseconds."""

    word: str
    number: Integers
    start: Integers
    length: Integers

    def __len__(self) -> int:
        return len(self.number)

    @property
    def plural(self) -> str:
        """The word for several."""
        return {"query": "queries", "batch": "batches", "call": "calls of the model"}[self.word]


@dataclass(frozen=True)
class Window:
    """A stretch of time, in nanoseconds of the trace's clock, of which everything is drawn.

    ``units`` are the places of those for whose sake it was chosen.
    """

    title: str
    about: str
    start: int
    length: int
    units: Sequence[int]

    @property
    def phrase(self) -> str:
        """The title within a sentence."""
        return f"the {self.title[0].lower()}{self.title[1:]}"

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.length


def read_units(database: Any) -> Units | None:
    """The units of a trace; None when it has nothing that could be one."""
    found = []
    for word, query in _UNITS:
        columns = database.execute(f"{query} ORDER BY start_ns, number").fetchnumpy()
        units = Units(word, *(columns[name].astype(np.int64) for name in ("number", "start_ns", "duration_ns")))
        if len(units) >= FEW:
            return units
        found.append(units)
    most = max(found, key=len)
    return most if len(most) else None


def choose(units: Units) -> list[Window]:
    """The windows, the typical one first; a unit is drawn under one title only."""
    if not len(units):
        return []
    found: list[Window] = []
    taken: set[int] = set()
    for title, place in _single(units):
        if place not in taken:
            taken.add(place)
            about = f"{units.word} {units.number[place]}"
            found.append(Window(title, about, int(units.start[place]), int(units.length[place]), (place,)))
    if len(units) > len(found):
        found.append(_first(units))
    return found


def _single(units: Units) -> Iterator[tuple[str, int]]:
    """Titles and places of single units: the median by length, the slowest, the 99th percentile, the fastest."""
    ranked = np.lexsort((units.start, units.length))
    last = len(ranked) - 1
    yield f"Median {units.word}", int(ranked[last // 2])
    yield f"Slowest {units.word}", int(ranked[last])
    if len(ranked) >= MANY:
        yield "99th percentile", int(ranked[int(np.ceil(0.99 * len(ranked))) - 1])
    yield f"Fastest {units.word}", int(ranked[0])


def _first(units: Units) -> Window:
    count = min(FIRST, len(units))
    start = int(units.start[:count].min())
    end = int((units.start[:count] + units.length[:count]).max())
    return Window(f"First {count} {units.plural}", "one after the other, as they came", start, end - start,
                  tuple(range(count)))  # fmt: skip
