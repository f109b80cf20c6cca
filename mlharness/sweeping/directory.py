"""A sweep's directory: what was asked, what has been done, and the runs themselves.

sweep.json      the sweep, resolved          journal.jsonl   one line for each run that has ended
runs/           a run directory each         table.json      the table, at the end
plots/          the pictures, at the end
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from mlharness import rundir
from mlharness.errors import UserError
from mlharness.sweeping.document import Sweep
from mlharness.sweeping.journal import Entry, Journal
from mlharness.sweeping.order import Unit, schedule

SWEEP = "sweep.json"
VERSION = 1
"""``schema_version`` of the sweeps that this mlharness writes and reads."""
LOCK = ".lock"
LABELS = ("sweep", "cell", "repetition")
"""Labels of each run of a sweep, by which it is found again."""


@dataclass(frozen=True)
class SweepDirectory:
    """One sweep that was begun."""

    path: Path
    sweep: Sweep
    started: str

    @property
    def runs(self) -> Path:
        """The root of the run directories."""
        return self.path / "runs"

    @cached_property
    def journal(self) -> Journal:
        """What has been done."""
        return Journal(self.path / "journal.jsonl")

    @cached_property
    def order(self) -> list[Unit]:
        """Every run, in order."""
        return schedule(self.sweep)

    def left(self) -> list[Unit]:
        """The runs that are still to be made, in order; none of a cell that could not begin."""
        done, hopeless = self.journal.entries, self.journal.cannot_run()
        return [unit for unit in self.order if unit.key not in done and unit.cell.id not in hopeless]

    def labels(self, unit: Unit) -> dict[str, str]:
        """The labels of a run."""
        return dict(zip(LABELS, (self.path.name, unit.cell.id, str(unit.repetition)), strict=True))

    def result(self, run_id: str) -> dict[str, Any] | None:
        """The result of one of its runs; None when it is not there any more, damaged, or of a newer mlharness."""
        try:
            found = json.loads((self.runs / run_id / rundir.RESULT).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict):
            return None
        version = found.get("schema_version", rundir.RESULT_VERSION)
        return found if isinstance(version, int) and version <= rundir.RESULT_VERSION else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from working on this sweep. Raises UserError when somebody does already."""
        try:
            with FileLock(self.path / LOCK, timeout=0):
                yield
        except Timeout:
            raise UserError(f"another mlh works on {self.path}", "Wait until it has ended.") from None

    def tidy(self) -> list[str]:
        """Settle what a kill has left: a run that had ended is taken over, one that had not is removed.

        A run that failed or was interrupted is kept and made again.

        Returns:
            The ids of the runs that were taken over.
        """
        known = {entry.run_id for entry in self.journal.entries.values()}
        adopted = []
        for directory in sorted(self.runs.iterdir()) if self.runs.is_dir() else ():
            if directory.name in known or not directory.is_dir():
                continue
            if not (directory / rundir.RESULT).is_file():
                shutil.rmtree(directory, ignore_errors=True)
            elif (entry := self.ended(directory.name)) is not None:
                self.journal.add(entry)
                adopted.append(entry.run_id)
        return adopted

    def ended(self, run_id: str) -> Entry | None:
        """The entry of a run that has a verdict and no line in the journal; None for any other."""
        result = self.result(run_id)
        if result is None or result.get("status") not in ("valid", "invalid"):
            return None
        labels = result["labels"]
        if labels.get("sweep") != self.path.name:
            return None
        entry = Entry(labels["cell"], int(labels["repetition"]), result["status"], run_id)
        wanted = entry.key in {unit.key for unit in self.order} and entry.key not in self.journal.entries
        return entry if wanted else None


def begin(root: Path, sweep: Sweep) -> SweepDirectory:
    """Make the directory ``<UTC time>-<name>-sweep-<6 hex>`` under ``root``. Raises UserError when that cannot be."""
    now = datetime.now(timezone.utc)
    path = (root / f"{now:%Y%m%dT%H%M%SZ}-{sweep.name}-sweep-{secrets.token_hex(3)}").absolute()
    directory = SweepDirectory(path, sweep, now.isoformat(timespec="milliseconds"))
    try:
        directory.runs.mkdir(parents=True)
    except OSError as error:
        remedy = "Choose a writable folder with --output DIR."
        raise UserError(f"cannot make a sweep directory in {root}: {error.strerror}", remedy) from error
    document = {"schema_version": VERSION, "started": directory.started, "sha256": sweep.sha256, **asdict(sweep)}
    try:
        rundir.write_json(path / SWEEP, document)
    except UserError:
        rundir.discard(path)
        raise
    return directory


def open_sweep(path: Path) -> SweepDirectory:
    """The sweep of a directory. Raises UserError when there is none, or it is damaged or of a newer mlharness."""
    try:
        document = json.loads((path / SWEEP).read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is no sweep: it has no {SWEEP}", "Give the directory of a sweep.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path / SWEEP} cannot be read: {error}", "Begin the sweep anew.") from error
    if not isinstance(document, dict) or document.get("schema_version") != VERSION:
        raise UserError(f"{path / SWEEP} was written by another version of mlharness", "Resume it with that one.")
    try:
        return SweepDirectory(path.absolute(), msgspec.convert(document, Sweep), str(document["started"]))
    except (msgspec.ValidationError, KeyError) as error:
        raise UserError(f"{path / SWEEP} is damaged: {error}", "Begin the sweep anew.") from error


def find_unfinished(root: Path, sweep: Sweep) -> SweepDirectory:
    """The latest sweep under ``root`` that asks for the same and has something left.

    Raises:
        UserError: there is none.
    """
    begun = [path.parent for path in sorted(root.glob(f"*-{sweep.name}-sweep-*/{SWEEP}"), reverse=True)]
    other = False
    for path in begun:
        try:
            found = open_sweep(path)
        except UserError:  # that one is damaged, or of a newer mlharness: not the one that is looked for
            continue
        if found.sweep.sha256 != sweep.sha256:
            other = True
        elif found.left():
            return found
    changed = f" The file has changed since {begun[0].name} was begun; resume that by its path." if other else ""
    remedy = f"Begin one: leave --resume out.{changed}"
    raise UserError(f"no unfinished sweep {sweep.name!r} lies in {root}", remedy)
