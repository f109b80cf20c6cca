"""Spans in columns: how tracers hand them over, how they travel from runner to parent, and how they are held there."""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from mlharness.trace.clock import Anchor, Clock
from mlharness.trace.levels import LEVELS

Integers = npt.NDArray[np.int64]
NO_PARENT = -1
"""Given as a span's parent: it stands on a timeline of its own, and is put under nothing."""

_NUMBERS = ("level", "name", "kind", "source", "start", "duration", "thread", "query", "key", "parent",
            "correlation", "caused_by", "attributes")  # fmt: skip

_ROW = struct.Struct(f"={len(_NUMBERS)}q")
"""A span, packed: a sixth of the time that as many columns take to be appended to."""


class Spans:
    """What one tracer found: spans, and readings of counters over time.

    Args:
        source: the tracer's name.
        clock: that of all its times: ``monotonic`` (CLOCK_MONOTONIC) or ``wall`` (CLOCK_REALTIME), in nanoseconds.
    """

    def __init__(self, source: str, clock: Clock = "monotonic") -> None:
        self.source, self.clock = source, clock
        self.dropped = 0
        """Spans that the tracer knows to have lost."""
        self.notes: list[str] = []
        """What a reader of these spans must know, one sentence each."""
        self._codes: dict[str, int] = {"": 0}
        self._rows = bytearray()
        self._readings: dict[str, Any] = {
            "name": array("q"),
            "unit": array("q"),
            "time": array("q"),
            "value": array("d"),
        }

    def __len__(self) -> int:
        return len(self._rows) // _ROW.size

    @property
    def count_of_readings(self) -> int:
        """How many readings of counters there are."""
        return len(self._readings["time"])

    def add(
        self,
        level: int,
        name: str,
        start_ns: int,
        duration_ns: int,
        *,
        kind: str = "",
        thread: int = 0,
        query: int = -1,
        key: int = 0,
        parent: int = 0,
        correlation: int = 0,
        caused_by: int = 0,
        attributes: str | Mapping[str, Any] = "",
    ) -> None:
        """Add one span.

        Args:
            level: its place in :data:`~mlharness.trace.levels.LEVELS`.
            name: of the operator, primitive, kernel ...
            start_ns: its start, on the tracer's clock.
            duration_ns: how long it lasted.
            kind: its type, such as ``Conv``; what spans of one name share.
            thread: the operating system's id of its thread; 0 when the source does not tell.
            query: the query that it belongs to, -1 when it is told by the parent.
            key: this span's own number, by which ``parent`` of others of this source names it; 0 for none.
            parent: the key of its parent, where the source knows it; :data:`NO_PARENT` for a timeline of its own.
            correlation: the number of work that this span launched and that ran later, or elsewhere.
            caused_by: the correlation of the span that launched this one.
            attributes: further facts, a JSON object (written by the caller, which is faster) or a mapping. ``shape``,
                ``bytes`` and ``flops`` are known to the analyses.
        """
        text = attributes if isinstance(attributes, str) else json.dumps(attributes, separators=(",", ":"))
        code = self._code
        self._rows += _ROW.pack(level, code(name), code(kind), 0, start_ns, duration_ns, thread, query, key, parent,
                                correlation, caused_by, code(text))  # fmt: skip

    def extend(
        self,
        level: int,
        name: str,
        starts_ns: npt.ArrayLike,
        durations_ns: npt.ArrayLike,
        *,
        kind: str = "",
        thread: int = 0,
        parent: int = 0,
        attributes: str = "",
    ) -> None:
        """Add many spans that differ in nothing but their times, int64 [n] each; see :meth:`add`."""
        starts, code = np.asarray(starts_ns, np.int64), self._code
        same = (level, code(name), code(kind), 0, 0, 0, thread, -1, 0, parent, 0, 0, code(attributes))
        rows = np.tile(np.array(same, np.int64), (len(starts), 1))
        rows[:, _NUMBERS.index("start")] = starts
        rows[:, _NUMBERS.index("duration")] = durations_ns
        self._rows += rows.tobytes()

    def read(self, name: str, unit: str, time_ns: int, value: float) -> None:
        """Add one reading of a counter, such as a power or a clock, on the tracer's clock."""
        self._readings["name"].append(self._code(name))
        self._readings["unit"].append(self._code(unit))
        self._readings["time"].append(time_ns)
        self._readings["value"].append(value)

    def table(self, anchor: Anchor | None = None) -> SpanTable:
        """The spans as arrays, on the monotonic clock; ``anchor`` is needed when the tracer's is the wall clock."""
        columns = self._columns()
        columns["start"] -= self._behind(anchor)
        strings = [*self._codes, self.source]
        columns["source"][:] = len(strings) - 1
        nothing = np.zeros(len(self), np.int64)
        return SpanTable(strings=tuple(strings), id=nothing, parentage=nothing.copy(), **columns)

    def readings(self, anchor: Anchor | None = None) -> list[tuple[str, str, str, int, float]]:
        """The counters' readings: source, name, unit, time (monotonic, nanoseconds) and value."""
        names, behind, rows = list(self._codes), self._behind(anchor), self._readings
        return [
            (self.source, names[name], names[unit], moment - behind, value)
            for name, unit, moment, value in zip(rows["name"], rows["unit"], rows["time"], rows["value"], strict=True)
        ]

    def save(self, path: Path) -> None:
        """Write everything to an ``.npz`` file, which :meth:`load` reads with any NumPy and nothing else."""
        about = {
            "source": self.source, "clock": self.clock, "dropped": self.dropped, "notes": self.notes,
            "strings": list(self._codes),
        }  # fmt: skip
        arrays: dict[str, Any] = self._columns()
        arrays |= {f"reading_{name}": np.array(column) for name, column in self._readings.items()}
        with path.open("wb") as file:
            np.savez(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)

    @classmethod
    def load(cls, path: Path) -> Spans:
        """What :meth:`save` wrote. Raises ValueError or OSError for a file that is cut off, or of something else."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            return cls._of(arrays)
        except (KeyError, TypeError, EOFError, OSError, ValueError, BadZipFile) as error:
            raise ValueError(f"{path.name} cannot be read: {error}") from error

    @classmethod
    def _of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Spans:
        about = json.loads(arrays["about"].tobytes())
        strings = about["strings"]
        spans = cls(about["source"], about["clock"])
        spans.dropped, spans.notes = about["dropped"], about["notes"]
        spans._codes = {text: code for code, text in enumerate(strings)}
        columns = [arrays[name].astype(np.int64) for name in _NUMBERS]
        spans._rows += np.stack(columns, axis=1).tobytes()
        for name, column in spans._readings.items():
            column.frombytes(arrays[f"reading_{name}"].astype(column.typecode).tobytes())
        if len({len(column) for column in spans._readings.values()}) > 1:
            raise ValueError("its readings are not of one length")
        used = [arrays[name] for name in ("name", "kind", "attributes", "reading_name", "reading_unit")]
        if any(len(codes) and not 0 <= codes.min() <= codes.max() < len(strings) for codes in used):
            raise ValueError("it names texts that it does not have")
        return spans

    def _columns(self) -> dict[str, Integers]:
        rows = np.frombuffer(self._rows, np.int64).reshape(-1, len(_NUMBERS))
        return {name: rows[:, place].copy() for place, name in enumerate(_NUMBERS)}

    def _behind(self, anchor: Anchor | None) -> int:
        if self.clock == "monotonic":
            return 0
        assert anchor is not None, "wall-clock times need the offset of the clocks"
        return anchor.offset_ns

    def _code(self, text: str) -> int:
        codes = self._codes
        code = codes.get(text)
        if code is None:
            code = codes[text] = len(codes)
        return code


@dataclass(frozen=True)
class SpanTable:
    """Spans of all tracers in columns, int64 [n] each.

    ``name``, ``kind``, ``source`` and ``attributes`` are places in ``strings``. ``id`` counts from 1; ``parent`` is
    the id of another span, 0 for none. ``parentage`` says how the parent is known, see :mod:`mlharness.trace.tree`.
    Before ids are given out, ``parent`` holds the source's own key.
    """

    strings: tuple[str, ...]
    id: Integers
    parent: Integers
    parentage: Integers
    query: Integers
    level: Integers
    name: Integers
    kind: Integers
    source: Integers
    start: Integers
    duration: Integers
    thread: Integers
    key: Integers
    correlation: Integers
    caused_by: Integers
    attributes: Integers

    def __len__(self) -> int:
        return len(self.start)

    @property
    def end(self) -> Integers:
        """Where each span ends."""
        return self.start + self.duration

    def text(self, column: str, row: int) -> str:
        """One of the columns of strings, in one row."""
        return self.strings[int(getattr(self, column)[row])]

    def take(self, rows: npt.NDArray[Any]) -> SpanTable:
        """Some of the rows, by their numbers or by a mask."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def counts(self) -> dict[str, int]:
        """How many spans each level has; levels without any are left out."""
        found = np.bincount(self.level, minlength=len(LEVELS))
        return {level: int(count) for level, count in zip(LEVELS, found, strict=True) if count}


COLUMNS = tuple(field.name for field in fields(SpanTable) if field.name != "strings")
TEXTS = ("name", "kind", "source", "attributes")
"""The columns that are places in ``strings``."""


def concatenate(tables: Sequence[SpanTable]) -> SpanTable:
    """One table of several, with ids; parents are still keys, which are numbered through, so that each has one span.

    Two predictors may give the same keys. A parent is looked for in the span's own table, then in the others of its
    source; where it is in none, the span has none.
    """
    strings: dict[str, int] = {"": 0}
    parts: dict[str, list[Integers]] = {name: [] for name in COLUMNS}
    for table in _numbered(tables):
        codes = np.array([strings.setdefault(text, len(strings)) for text in table.strings], np.int64)
        for name in COLUMNS:
            column = getattr(table, name)
            parts[name].append(codes[column] if name in TEXTS else column)
    columns = {name: np.concatenate(found) if found else np.empty(0, np.int64) for name, found in parts.items()}
    columns["id"] = np.arange(1, len(columns["start"]) + 1, dtype=np.int64)
    return SpanTable(strings=tuple(strings), **columns)


def _numbered(tables: Sequence[SpanTable]) -> Iterator[SpanTable]:
    """The tables with keys, and keys of parents, that differ over all of them."""
    known = [np.unique(table.key[table.key != 0]) for table in tables]
    offsets = np.cumsum([1, *map(len, known)]).tolist()
    sources = [table.text("source", 0) if len(table) else "" for table in tables]
    for table, keys, offset, source in zip(tables, known, offsets, sources, strict=False):
        key, parent = _places(keys, table.key, offset), _places(keys, table.parent, offset)
        lost = np.flatnonzero((parent == 0) & (table.parent > 0))
        for other, begin, its_source in zip(known, offsets, sources, strict=False):
            if len(lost) and its_source == source:
                parent[lost] = np.maximum(parent[lost], _places(other, table.parent[lost], begin))
        parent[table.parent == NO_PARENT] = NO_PARENT
        yield replace(table, key=key, parent=parent)


def _places(keys: Integers, wanted: Integers, offset: int) -> Integers:
    """Where each key stands among the sorted ``keys``, from ``offset`` on; 0 for one that is not there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place + offset, 0)
