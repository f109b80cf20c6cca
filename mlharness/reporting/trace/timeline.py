"""The timeline: of a few queries every span, in columns, as the page's script draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness.explaining.rules.rule import duration
from mlharness.reporting.trace.facts import cut, facts_of, micro
from mlharness.reporting.trace.hues import OTHER, Hues
from mlharness.reporting.trace.spans import Span, read_spans, read_threads
from mlharness.reporting.trace.tracks import Group, places, tracks_of
from mlharness.reporting.trace.windows import Units, Window, choose, read_units
from mlharness.trace.levels import LEVELS

BUDGET = 4_000_000
"""Bytes of all windows on the page, about: 100,000 spans."""
A_SPAN = 42
"""Bytes that a span's numbers take, about."""
DOTS = 600
"""Stretches of the test of each of which the median and the slowest query are shown, where there are more queries."""


@dataclass(frozen=True)
class Drawn:
    """A window as it is drawn: ``spans`` of the ``count`` that it has, by start; the others are shorter. Of these,
    ``groups`` hold those that found room."""

    window: Window
    count: int
    spans: Sequence[Span]
    groups: Sequence[Group]

    @property
    def left(self) -> str:
        """What is not drawn, and why; empty when everything is."""
        short = self.count - len(self.spans)
        told = []
        if short:
            longest = micro(duration(min((span.length for span in self.spans), default=0)))
            told.append(f"; {short:,} more are not drawn, none of them longer than {longest}")
        hidden = len(self.spans) - sum(1 for _ in places(self.groups))
        if hidden:
            told.append(f"; {hidden:,} find no room, since too many threads or queries overlap")
        return "".join(told)


@dataclass(frozen=True)
class Timeline:
    """What there is to draw. ``units`` is None, and ``drawn`` empty, where a trace has nothing to choose from."""

    units: Units | None
    drawn: Sequence[Drawn]
    document: dict[str, Any]

    @property
    def spans(self) -> int:
        """How many spans are drawn; a span of two windows is one."""
        return len({one.spans[place].id for one in self.drawn for place in places(one.groups)})

    @property
    def shown(self) -> int:
        """How many of the units are drawn."""
        return len({place for one in self.drawn for place in one.window.units})


def read_timeline(database: Any, hues: Hues, budget: int = BUDGET) -> Timeline:
    """The timeline of a trace, in no more bytes of JSON than ``budget``, about."""
    units = read_units(database)
    windows = choose(units) if units else []
    threads, book = read_threads(database), _Book()
    drawn = []
    for place, window in enumerate(windows):
        spans, count = read_spans(database, window)
        kept = book.within(spans, (budget - book.bytes) // (len(windows) - place))
        drawn.append(Drawn(window, count, kept, tracks_of(kept, threads)))
    begin = int(units.start.min()) if units else 0
    document = {
        "levels": LEVELS,
        "windows": [_window(one, begin, _focus(units, one.window), book, hues) for one in drawn],
        "dots": list(dots(units)) if units else [],
        "dotsTold": f"all {len(units):,} {units.plural}" if units else "",
        "texts": list(book.texts),
        "facts": list(book.facts),
    }
    return Timeline(units, drawn, document)


class _Book:
    """Texts and attributes by number, and how many bytes of the page are taken."""

    def __init__(self) -> None:
        self.bytes = 0
        self.texts: dict[str, int] = {}
        self.facts: dict[tuple[tuple[str, str], ...], int] = {(): 0}

    def text(self, text: str) -> int:
        """The number of a text, of which no more than its beginning is kept."""
        short = cut(text, 200)
        if short not in self.texts:
            self.bytes += len(short) + 3
        return self.texts.setdefault(short, len(self.texts))

    def fact(self, attributes: str | None) -> int:
        """The number of a span's attributes."""
        found = facts_of(attributes)
        if found not in self.facts:
            self.bytes += sum(len(key) + len(value) + 8 for key, value in found)
        return self.facts.setdefault(found, len(self.facts))

    def within(self, spans: Sequence[Span], allowed: int) -> list[Span]:
        """The longest of the spans, as many as fit into so many bytes, in their order."""
        until, kept = self.bytes + allowed, set()
        for span in sorted(spans, key=lambda span: -span.length):
            self.bytes += A_SPAN
            self.text(span.name)
            self.text(span.kind)
            self.fact(span.attributes)
            if self.bytes > until:
                break
            kept.add(span.id)
        return [span for span in spans if span.id in kept]


def _focus(units: Units | None, window: Window) -> int:
    """The query for whose sake a window was chosen, beside which others are drawn paler; -1 for none."""
    alone = units is not None and units.word == "query" and len(window.units) == 1
    return int(units.number[window.units[0]]) if units is not None and alone else -1


def _window(one: Drawn, begin: int, focus: int, book: _Book, hues: Hues) -> dict[str, Any]:
    order = list(places(one.groups))
    spans = [one.spans[place] for place in order]
    number = {span.id: place for place, span in enumerate(spans)}
    window = one.window
    return {
        "title": window.title,
        "about": window.about,
        "at": window.start - begin,
        "length": window.length,
        "focus": focus,
        "left": one.left,
        "groups": [_group(group) for group in one.groups],
        "start": [span.start - window.start for span in spans],
        "duration": [span.length for span in spans],
        "name": [book.text(span.name) for span in spans],
        "kind": [book.text(span.kind) for span in spans],
        "fact": [book.fact(span.attributes) for span in spans],
        "hue": _hues(one.spans, spans, hues),
        "parent": [number.get(span.parent, -1) for span in spans],
        "query": [span.query for span in spans],
    }


def _hues(ordered: Sequence[Span], drawn: Sequence[Span], hues: Hues) -> list[int]:
    """The colour of each drawn span. ``ordered`` are outer before inner: what stands inside a layer has the layer's."""
    found: dict[int, tuple[int, int]] = {}
    for span in ordered:
        hue = hues.of(span.level, span.kind)
        level, above = found.get(span.parent, (-1, OTHER))
        found[span.id] = span.level, above if hue == OTHER and level == span.level else hue
    return [found[span.id][1] for span in drawn]


def _group(group: Group) -> dict[str, Any]:
    lanes = [{"level": lane.level, "rows": [len(row) for row in lane.rows], "hidden": lane.hidden}
             for lane in group.lanes]  # fmt: skip
    return {"label": cut(group.label, 60), "thread": group.thread, "calls": group.calls, "lanes": lanes}


def dots(units: Units) -> Iterator[tuple[int, int]]:
    """When units began, from the first on, and how long they took: all, or of each stretch the median and slowest."""
    at = units.start - units.start.min()
    if len(units) <= 2 * DOTS:
        yield from zip(at.tolist(), units.length.tolist(), strict=True)
        return
    stretch = np.minimum(at * DOTS // max(1, int(at.max())), DOTS - 1)
    order = np.lexsort((units.length, stretch))
    bounds = np.flatnonzero(np.diff(stretch[order], prepend=-1))
    for first, end in zip(bounds, [*bounds[1:], len(order)], strict=True):
        for place in sorted({order[(first + end - 1) // 2], order[end - 1]}):
            yield int(at[place]), int(units.length[place])
