"""Journals: whole records for a reader, whatever becomes of the writer, and counted losses."""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mlharness.trace.journal import Journal, read_journal


def test_records_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "some.journal", 3, 10)
    journal.append(1, 2, 3)
    journal.append(-4, 1 << 62, -(1 << 63))
    assert journal.count == 2
    journal.close()
    records, dropped = read_journal(tmp_path / "some.journal")
    assert records.tolist() == [[1, 2, 3], [-4, 1 << 62, -(1 << 63)]]
    assert dropped == 0


def test_many_integers_lie_together(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "ids.journal", 1, 5)
    journal.extend([7, 8])
    journal.append(9)
    journal.extend([])
    records, dropped = read_journal(tmp_path / "ids.journal")  # while it is still being written
    assert records[:, 0].tolist() == [7, 8, 9]
    assert dropped == 0
    journal.close()


def test_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "full.journal", 2, 2)
    for number in range(5):
        journal.append(number, number)
    journal.close()
    records, dropped = read_journal(tmp_path / "full.journal")
    assert records.tolist() == [[0, 0], [1, 1]]
    assert dropped == 3


def test_after_integers_that_did_not_fit_nothing_does(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "full.journal", 1, 4)
    journal.extend([1, 2, 3])
    journal.extend([4, 5])
    journal.append(6)
    journal.close()
    records, dropped = read_journal(tmp_path / "full.journal")
    assert records[:, 0].tolist() == [1, 2, 3]
    assert dropped == 3


WRITER = """
    import os, sys
    from pathlib import Path
    from mlharness.trace.journal import Journal
    journal = Journal(Path(sys.argv[1]), 2, 1 << 20)
    for number in range(1000):
        journal.append(number, -number)
    os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_leaves_its_records(tmp_path: Path) -> None:
    path = tmp_path / "killed.journal"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(WRITER), str(path)], check=False)
    assert done.returncode == -9
    records, dropped = read_journal(path)
    assert records.tolist() == [[number, -number] for number in range(1000)]
    assert dropped == 0


def test_an_empty_journal_takes_no_space(tmp_path: Path) -> None:
    path = tmp_path / "empty.journal"
    Journal(path, 8, 1 << 20).close()
    assert path.stat().st_size == 8 * (4 + 8 * (1 << 20))
    assert path.stat().st_blocks * 512 < 1 << 20
    assert len(read_journal(path)[0]) == 0


def test_a_file_that_was_cut_off_tells_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "cut.journal"
    journal = Journal(path, 2, 10)
    for number in range(5):
        journal.append(number, number)
    journal.close()
    path.write_bytes(path.read_bytes()[: 8 * (4 + 2 * 3 + 1)])
    records, dropped = read_journal(path)
    assert records.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert dropped == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is cut off"),
        (bytes(31), "is cut off"),
        (bytes(64), "is no journal"),
        (struct.pack("<4q", 0x6D6C686A, 0, 1, 0), "is no journal"),
        (struct.pack("<4q", 0x6D6C686A, -2, 1, 0), "is no journal"),
        (struct.pack("<4q", 0x6D6C686A, 2, -1, 0), "is no journal"),
        (struct.pack("<4q", 0x6D6C686A, 2, 1, -5), "is no journal"),
        (struct.pack("<4q", 0x6D6C686A, 2, 1 << 61, 0), "is no journal"),
    ],
)
def test_what_is_no_journal_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "other.journal"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_journal(path)


def test_a_journal_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_journal(tmp_path / "none.journal")
