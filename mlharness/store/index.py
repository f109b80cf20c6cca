"""Keeps the store's rows what the run directories say."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from mlharness.errors import UserError
from mlharness.rundir import has_result
from mlharness.store.opening import Store
from mlharness.store.reading import IncompleteRunError, Record, read_record
from mlharness.store.tables import documents, labels, runs

BATCH = 500
"""Runs in one transaction: others can write in between, and a list of their ids is no longer than SQLite takes."""


@dataclass(frozen=True)
class Problem:
    """A run directory that cannot be indexed, or not wholly, and why."""

    directory: Path
    message: str
    remedy: str = ""


@dataclass
class Indexed:
    """What became of the directories: run ids, and paths of those that are no complete run."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Those of which the store has another copy with the same content."""
    forgotten: list[str] = field(default_factory=list)
    incomplete: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def index(store: Store, directories: Iterable[Path]) -> Indexed:
    """Read run directories and write their rows, whatever the store has of them.

    Raises:
        StoreError: the store cannot be written. What was written before is kept.
    """
    found = Indexed()
    records = read_all(directories, found)
    while batch := list(islice(records, BATCH)):
        with store.writing() as connection:
            write(connection, batch, found, store.shared)
    return found


def read_all(directories: Iterable[Path], found: Indexed) -> Iterator[Record]:
    """The records of the directories that have one; the others are noted."""
    for directory in directories:
        try:
            record = read_record(directory)
        except IncompleteRunError:
            found.incomplete.append(directory)
        except UserError as error:
            found.problems.append(Problem(directory, error.message, error.remedy))
        else:
            if record.problem:
                found.problems.append(Problem(directory, record.problem))
            yield record


def write(connection: Connection, records: Sequence[Record], found: Indexed, shared: bool) -> None:
    """Write rows in one transaction, of which there is one at a time."""
    rows = connection.execute(select(runs).where(runs.c.run_id.in_(ids_of(records)))).mappings()
    standing: dict[str, Mapping[str, Any]] = {row["run_id"]: dict(row) for row in rows}
    chosen: dict[str, Record] = {}
    for record in records:
        row = standing.get(record.run_id)
        if row is None:
            found.added.append(record.run_id)
        elif replaces(record, row, shared, found):
            (found.unchanged if row == record.row else found.updated).append(record.run_id)
        else:
            continue
        chosen[record.run_id], standing[record.run_id] = record, record.row
    put(connection, list(chosen.values()))


def ids_of(records: Iterable[Record]) -> list[str]:
    """The run ids."""
    return [record.run_id for record in records]


def replaces(record: Record, row: Mapping[str, Any], shared: bool, found: Indexed) -> bool:
    """Whether a record takes the place of a row with its run id; notes what becomes of it where it does not.

    It does when it is of the same directory, or that of the row is gone. On another host nobody can see that.
    """
    here = not shared or row["kept_on"] == record.row["kept_on"]
    directory = Path(row["root"]) / row["folder"]
    if here and (directory == record.directory or not has_result(directory)):
        return True
    other = str(directory) if here else f"{directory} on {row['kept_on']}"
    if row["content_sha256"] == record.row["content_sha256"]:
        found.known.append(record.run_id)
    else:
        message = f"{record.directory} and {other} are both run {record.run_id}, and their results differ"
        found.problems.append(Problem(record.directory, message, "One was changed: remove that one."))
    return False


def admits(store: Store, record: Record, found: Indexed) -> bool:
    """Whether the store would take a record; notes why not."""
    with store.reading() as connection:
        row = connection.execute(select(runs).where(runs.c.run_id == record.run_id)).mappings().one_or_none()
    return row is None or replaces(record, dict(row), store.shared, found)


def put(connection: Connection, records: Sequence[Record]) -> None:
    """Replace or add the rows of these runs, with all that belongs to them."""
    if not records:
        return
    connection.execute(delete(runs).where(runs.c.run_id.in_(ids_of(records))))  # labels and documents go with it
    connection.execute(insert(runs), [record.row for record in records])
    connection.execute(insert(documents), [{"run_id": one.run_id, "result": one.document} for one in records])
    pairs = [{"run_id": one.run_id, "key": key, "value": value} for one in records for key, value in one.labels.items()]
    if pairs:
        connection.execute(insert(labels), pairs)


def catch_up(store: Store, root: Path) -> Indexed:
    """Index the directories of a root that the store does not know, or that changed since it read them.

    Nothing is opened but those: 10,000 known directories cost one scan of their root.
    """
    root = root.resolve()
    stamps = scan(root)
    if not stamps:
        return Indexed()
    with store.reading() as connection:
        rows = connection.execute(select(runs.c.folder, runs.c.stamp).where(runs.c.root == str(root)))
        known = dict(rows.all())
    return index(store, [root / name for name, stamp in stamps.items() if known.get(name) != stamp])


def scan(root: Path) -> dict[str, int]:
    """The folders of a root with their mtimes (ns), without hidden ones; empty when there is no such root."""
    try:
        with os.scandir(root) as entries:
            return {
                entry.name: entry.stat(follow_symlinks=False).st_mtime_ns
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{root} cannot be read: {error.strerror}", "Check its permissions.") from error


def rebuild(store: Store, roots: Iterable[Path]) -> Indexed:
    """Index everything under these roots, and forget what is no longer there.

    A root that does not exist is left alone, since it may be a disk that is not mounted. One that is a run directory
    itself is indexed.
    """
    there = list(dict.fromkeys(root.resolve() for root in roots if root.is_dir()))
    single = [root for root in there if has_result(root)]
    folders = {root: scan(root) for root in there if root not in single}
    found = index(store, [*single, *(root / name for root, names in folders.items() for name in sorted(names))])
    for root, names in folders.items():
        found.forgotten += forget_missing(store, root, names)
    return found


def forget_missing(store: Store, root: Path, names: Iterable[str]) -> list[str]:
    """Remove the rows of directories that a root of this host had, and has no more; their run ids."""
    there = set(names)
    with store.writing() as connection:
        rows = connection.execute(
            select(runs.c.run_id, runs.c.folder).where(runs.c.root == str(root), *of_this_host(store))
        ).all()
        gone = [row.run_id for row in rows if row.folder not in there]
        for start in range(0, len(gone), BATCH):
            connection.execute(delete(runs).where(runs.c.run_id.in_(gone[start : start + BATCH])))
    return gone


def forget(store: Store, run_ids: Sequence[str]) -> None:
    """Remove rows, with all that belongs to them."""
    with store.writing() as connection:
        connection.execute(delete(runs).where(runs.c.run_id.in_(run_ids)))


def roots_of(store: Store) -> list[Path]:
    """The roots on this host that have runs in the store."""
    with store.reading() as connection:
        mine = select(runs.c.root).where(*of_this_host(store)).distinct()
        return [Path(root) for root in connection.execute(mine).scalars()]


def of_this_host(store: Store) -> list[ColumnElement[bool]]:
    """What tells this host's rows; a file is its own, whatever it was called before: a container has ever new names."""
    return [runs.c.kept_on == platform.node()] if store.shared else []
