"""Which run is meant: ``@last``, ``@-2``, a run id or the beginning of one, or the path of a run directory.

Every command that takes a run asks here.
"""

from __future__ import annotations

import difflib
import json
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlharness.errors import UserError
from mlharness.paths import runs_dir
from mlharness.rundir import has_result

if TYPE_CHECKING:
    from mlharness.store.opening import Store

SEE = "See: mlh runs"
_PLACE = re.compile(r"@-([1-9][0-9]{0,8})\Z")
_SIMILAR = 1000
"""Among how many of the latest runs a misspelt one is looked for."""


@dataclass(frozen=True)
class Run:
    """A run that was asked for.

    ``result`` is the document of ``result.json``, with the labels that the run has now. ``here`` says whether
    ``directory`` is on this host: in a team's store there are runs of others, of which only the result is known.
    """

    run_id: str
    directory: Path
    kept_on: str
    here: bool
    result: Mapping[str, Any]

    @property
    def whereabouts(self) -> str:
        """Where the directory is, in words."""
        if self.here:
            return str(self.directory)
        gone = self.kept_on == platform.node()
        return f"{self.directory}, which is gone" if gone else f"{self.directory} on {self.kept_on}"

    def files(self) -> Path:
        """The directory, for whoever needs its files. Raises UserError when it is not here."""
        if not self.here:
            raise UserError(
                f"the files of run {self.run_id} are not here: they were in {self.whereabouts}",
                "Copy the directory here, and name the path of the copy.",
            )
        return self.directory


class Runs:
    """The runs that names stand for; the store is opened when a name needs it.

    Args:
        tell: is told, in a line each, of run directories that could not be added to the store.
    """

    def __init__(self, tell: Callable[[str], None] = lambda text: None) -> None:
        self._tell = tell

    @cached_property
    def store(self) -> Store:
        """The store, which has caught up with the user's run directories. Raises StoreError."""
        from mlharness.store.opening import open_store

        store = open_store()
        for line in missing(store):
            self._tell(line)
        return store

    def find(self, name: str) -> Run:
        """The run of a name. Raises UserError when there is none, or more than one."""
        path = Path(name)
        if "/" in name or has_result(path):
            return at(path)
        return self.stored(self.id_of(name))

    def find_all(self, names: Sequence[str]) -> list[Run]:
        """The runs of these names, each once. Raises UserError as :meth:`find` does."""
        return list({run.run_id: run for run in map(self.find, names)}.values())

    def id_of(self, name: str) -> str:
        """The run id that a name stands for in the store. Raises UserError when there is none, or more than one."""
        from mlharness.store.querying import id_at, ids_beginning

        if name.startswith("@"):
            place = 1 if name == "@last" else place_of(name)
            found = id_at(self.store, place)
            if found is None:
                raise UserError(f"{name}: there are not so many runs", SEE)
            return found
        beginning = ids_beginning(self.store, name, 6) if name else []
        if name in beginning or len(beginning) == 1:
            return name if name in beginning else beginning[0]
        if beginning:
            listed = ", ".join(beginning[:5]) + (" ..." if len(beginning) > 5 else "")
            raise UserError(f"several runs begin with {name!r}: {listed}", "Write more of the one that is meant.")
        close = difflib.get_close_matches(name, ids_beginning(self.store, "", _SIMILAR), n=1)
        raise UserError(f"there is no run {name!r}", f"Did you mean {close[0]!r}? {SEE}" if close else SEE)

    def stored(self, run_id: str) -> Run:
        """The run of an id that the store has. Raises UserError when it is damaged, or has just been removed."""
        from mlharness.store.querying import get_run

        found = get_run(self.store, run_id)
        if found is None:
            raise UserError(f"run {run_id} has just been removed", SEE)
        directory = Path(found.directory)
        here = has_result(directory)
        if here:
            return at(directory)
        return Run(run_id, directory, found.kept_on, False, {**found.result, "labels": found.labels})


class StoredRuns(Runs):
    """The runs of a store that is open, and no others: a name that somebody sent is never the path of a file."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    def find(self, name: str) -> Run:
        """The run of a name, as the store knows it. Raises UserError when there is none, or more than one."""
        return self.stored(self.id_of(name))


def at(path: Path) -> Run:
    """The run of a directory. Raises UserError when it is none, or damaged."""
    from mlharness.store.reading import read_record

    record = read_record(path)
    result = {**json.loads(record.document), "labels": record.labels}
    return Run(record.run_id, record.directory, record.row["kept_on"], True, result)


def place_of(name: str) -> int:
    """The place of ``@-N``. Raises UserError for any other word that begins with @."""
    match = _PLACE.match(name)
    if match is None:
        raise UserError(f"{name!r} names no run", "Write @last for the latest run, @-2 for the one before.")
    return int(match[1])


def missing(store: Store) -> list[str]:
    """Let the store catch up with the user's run directories; a line about each that could not be added."""
    from mlharness.store.index import catch_up

    try:
        return [problem.message for problem in catch_up(store, runs_dir()).problems]
    except UserError as error:  # what it has can be read all the same: it is full, or locked for writers
        return [f"runs may be missing: {error.message}"]
