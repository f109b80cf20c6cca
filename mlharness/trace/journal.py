"""A journal: records of a few integers each, in a file that is mapped into memory.

One thread writes one journal, without a lock; a record costs less than a microsecond. What was written stays readable
whatever becomes of the process, since the kernel owns the pages. Memory is bounded: what no longer fits is counted.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlharness.trace.spans import Integers

_HEADER = 4
"""Integers before the first record: a mark, the width of a record, how many there are, and how many were dropped."""
_MARK = 0x6D6C686A


class Journal:
    """Appends records of ``width`` int64 to a new file, of which ``capacity`` records are reserved."""

    def __init__(self, path: Path, width: int, capacity: int) -> None:
        size = 8 * (_HEADER + width * capacity)
        with path.open("wb+") as file:
            file.truncate(size)  # a hole: only what is written takes space
            self._map = mmap.mmap(file.fileno(), size)
        self._pack = struct.Struct(f"<{width}q").pack_into
        self._head = memoryview(self._map).cast("q")
        self._head[0], self._head[1] = _MARK, width
        self._bytes, self._width, self._capacity = 8 * width, width, capacity
        self._next = 8 * _HEADER
        self.count = 0

    def append(self, *values: int) -> None:
        """One record of ``width`` integers."""
        count = self.count
        if count >= self._capacity:
            self._head[3] += 1
            return
        self._pack(self._map, self._next, *values)
        self._next += self._bytes
        self.count = self._head[2] = count + 1  # after the record: who reads the file sees whole ones

    def extend(self, values: Sequence[int]) -> None:
        """Many records of a journal whose ``width`` is 1; all of them or none, so that they lie together.

        After the first that did not fit nothing does: who notes where its records begin would be given later ones.
        """
        count, more = self.count, len(values)
        if count + more > self._capacity:
            self._head[3] += more
            self._capacity = count
            return
        start = _HEADER + count
        self._head[start : start + more] = memoryview(array("q", values))
        self._next += 8 * more
        self.count = self._head[2] = count + more

    def close(self) -> None:
        """Let go of the file."""
        self._head.release()
        self._map.close()


def read_journal(path: Path) -> tuple[Integers, int]:
    """The records, int64 [n, width], and how many were dropped. Raises ValueError for a file that is no journal."""
    size = path.stat().st_size
    if size < 8 * _HEADER:
        raise ValueError(f"{path.name} is cut off")
    with path.open("rb") as file:
        mark, width, count, dropped = struct.unpack(f"<{_HEADER}q", file.read(8 * _HEADER))
        if mark != _MARK or not 0 < width < 1 << 20 or not 0 <= count < 1 << 40 or dropped < 0:
            raise ValueError(f"{path.name} is no journal")
        values = np.fromfile(file, np.int64, min(count * width, (size - 8 * _HEADER) // 8))
    whole = values[: len(values) // width * width].reshape(-1, width)
    return whole, dropped + count - len(whole)
