"""Which runs the words of a command line mean.

A selection is a run's name, several joined by commas, a pattern (``*digits*``), ``label:KEY=VALUE``, or ``series:NAME``
or ``plan:NAME``: all runs of the series, or of the plan, of the run that is named.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlharness.comparing.groups import SERIES, Group
from mlharness.comparing.runs import Run, read_run
from mlharness.errors import UserError, did_you_mean
from mlharness.rundir import RESULT

_WILD = frozenset("*?[")
_BACK = re.compile(r"@-[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Shelf:
    """The run directories under a root."""

    root: Path

    @cached_property
    def directories(self) -> list[Path]:
        """Those of runs that ended, the oldest first: their names begin with the time."""
        return sorted((file.parent for file in self.root.glob(f"*/{RESULT}")), key=lambda path: path.name)

    @cached_property
    def runs(self) -> list[Run]:
        """All of them, read; one that is damaged is an error."""
        return [read_run(directory) for directory in self.directories]

    def select(self, selection: str) -> Group:
        """The group of a selection. Raises UserError for one that means no run."""
        found = list(self._find(selection))
        if not found:
            raise UserError(
                f"{selection!r} means no run in {self.root}", "Look there, or name another folder: --runs DIR."
            )
        return Group(selection, tuple({run.id: run for run in found}.values()))

    def find_run(self, name: str) -> Path:
        """The directory of a path, ``@last``, ``@-2``, a run's name or its unique beginning. Raises UserError."""
        if (Path(name) / RESULT).is_file():
            return Path(name)
        if name.startswith("@"):
            return self._by_age(name)
        found = [path for path in self.directories if path.name.startswith(name)]
        exact = [path for path in found if path.name == name]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if found:
            raise UserError(
                f"{name!r} may be any of {len(found)} runs", f"Write more: {found[0].name}, {found[-1].name} ..."
            )
        names = [path.name for path in self.directories[-20:]]
        raise UserError(f"there is no run {name!r} in {self.root}", did_you_mean(name, [*names, "@last"]))

    def _by_age(self, name: str) -> Path:
        back = 1 if name == "@last" else int(name[2:]) if _BACK.fullmatch(name) else 0
        if not back:
            raise UserError(f"there is no run {name!r}", "Write @last, or @-2 for the last but one.")
        try:
            return self.directories[-back]
        except IndexError:
            raise UserError(
                f"there is no run {name!r}: {self.root} has {len(self.directories)}", "Name another run, or --runs DIR."
            ) from None

    def _find(self, selection: str) -> Iterator[Run]:
        kind, colon, rest = selection.partition(":")
        if colon and kind in _KINDS:
            yield from _KINDS[kind](self, rest)
            return
        for name in filter(None, map(str.strip, selection.split(","))):
            if _WILD.intersection(name):
                yield from (read_run(path) for path in self.directories if fnmatch.fnmatch(path.name, name))
            else:
                yield read_run(self.find_run(name))

    def _labelled(self, text: str) -> Iterator[Run]:
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"'label:{text}' is no label", "Write label:KEY=VALUE.")
        return (run for run in self.runs if run.label(key) == value)

    def _series(self, name: str) -> Iterator[Run]:
        one = read_run(self.find_run(name))
        series = one.label(SERIES)
        if series is None:
            raise UserError(
                f"run {one.id} is of no series", "Runs of --repeat and --against are: mlh bench --repeat 7."
            )
        return (run for run in self.runs if run.label(SERIES) == series)

    def _plan(self, name: str) -> Iterator[Run]:
        """Plans leave host and version open, and runs of another host or version are no repetitions."""
        wanted = _same(read_run(self.find_run(name)))
        return (run for run in self.runs if _same(run) == wanted)


_KINDS: dict[str, Callable[[Shelf, str], Iterator[Run]]] = {
    "label": Shelf._labelled,
    "series": Shelf._series,
    "plan": Shelf._plan,
}


def _same(run: Run) -> tuple[object, ...]:
    return run.result["plan_sha256"], run.result["system"].get("host"), run.result["framework"]["version"]
