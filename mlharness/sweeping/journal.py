"""What a sweep has done: a file with one line for each run that has ended, which is durable once written."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from mlharness.errors import UserError

JOURNAL = "journal.jsonl"
NOT_RUN = "not run"
"""The status of a cell that could not begin; the others are those of results."""
BUG = "bug"
"""The status of a run that a bug in mlharness ended."""


@dataclass(frozen=True)
class Entry:
    """A run that has ended; ``message`` says why there is no figure; ``run_id`` is empty when it could not begin."""

    cell: str
    repetition: int
    status: str
    run_id: str = ""
    message: str = ""
    remedy: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """Which run of the sweep it is."""
        return self.cell, self.repetition


class Journal:
    """The journal of one sweep directory.

    A line that a kill or a full disk has cut off does not count, and is taken away before the next is written: its run
    is found again by its own directory, or made again. Reading changes nothing, since another may be writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: dict[tuple[str, int], Entry] = {}
        for line in _whole(path).splitlines():
            entry = _read(line, path)
            self.entries[entry.key] = entry

    def add(self, entry: Entry) -> None:
        """Append an entry and wait until the disk has it.

        Raises:
            UserError: the disk refuses; the journal is what it was before.
        """
        line = json.dumps(asdict(entry)).encode() + b"\n"
        before = len(_whole(self._path))
        try:
            with self._path.open("ab", buffering=0) as file:
                file.truncate(before)
                _write_all(file, line)
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                os.truncate(self._path, before)
            raise UserError(f"cannot write {self._path}: {error.strerror}", "Free some space, then resume.") from error
        self.entries[entry.key] = entry

    def cannot_run(self) -> Mapping[str, Entry]:
        """The cells that could not begin, by id: there is no use in trying them once more."""
        return {entry.cell: entry for entry in self.entries.values() if entry.status == NOT_RUN}


def _write_all(file: io.FileIO, line: bytes) -> None:
    """A disk that is almost full takes the beginning of a line without complaint."""
    if file.write(line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _whole(path: Path) -> bytes:
    """What the file holds, without a last line that does not end."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    return content[: content.rfind(b"\n") + 1]


def _read(line: bytes, path: Path) -> Entry:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged: {line[:80]!r} is no entry", "Take the line away, then resume.") from error
