"""Which runs the words of a command line mean.

A selection is a run's name as everywhere, several joined by commas, a pattern (``*digits*``), ``label:KEY=VALUE``, or
``series:NAME`` or ``plan:NAME``: all runs of the series, or of the plan, of the run that is named.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mlharness.comparing.groups import SERIES, Group
from mlharness.comparing.runs import Run, complete
from mlharness.errors import UserError
from mlharness.runs import SEE, Runs
from mlharness.store.querying import Filter, ids_beginning, list_runs

_WILD = "*?["
_ALL = 1_000_000
"""More runs than a store has."""


def select_runs(runs: Runs, selection: str) -> Group:
    """The group of a selection. Raises UserError for one that means no run."""
    found = {run.id: run for run in _find(runs, selection)}
    if not found:
        raise UserError(f"{selection!r} means no run", SEE)
    return Group(selection, tuple(found.values()))


def _find(runs: Runs, selection: str) -> Iterator[Run]:
    kind, colon, rest = selection.partition(":")
    if colon and kind in _KINDS:
        yield from _KINDS[kind](runs, rest)
        return
    for name in filter(None, map(str.strip, selection.split(","))):
        names = _like(runs, name) if any(char in name for char in _WILD) else [name]
        yield from (complete(runs.find(one)) for one in names)


def _like(runs: Runs, pattern: str) -> Iterable[str]:
    beginning = pattern[: min(pattern.find(char) for char in _WILD if char in pattern)]
    return fnmatch.filter(ids_beginning(runs.store, beginning, _ALL), pattern)


def _labelled(runs: Runs, text: str) -> Iterator[Run]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"'label:{text}' is no label", "Write label:KEY=VALUE.")
    yield from _matching(runs, Filter(labels=((key, value),)), lambda row: True)


def _series(runs: Runs, name: str) -> Iterator[Run]:
    one = runs.find(name)
    series = one.result["labels"].get(SERIES)
    if series is None:
        raise UserError(
            f"run {one.run_id} is of no series", "Runs of --repeat and --against are: mlh bench --repeat 7."
        )
    yield from _matching(runs, Filter(labels=((SERIES, series),)), lambda row: True)


def _plan(runs: Runs, name: str) -> Iterator[Run]:
    """Plans leave host and version open, and runs of another host or version are no repetitions."""
    one = runs.find(name).result
    wanted = (one["plan_sha256"], one["system"].get("host", ""), one["framework"]["version"])

    def same(row: dict[str, Any]) -> bool:
        return (row["plan_sha256"], row["host"], row["framework_version"]) == wanted

    yield from _matching(runs, Filter(models=(one["model"]["name"],)), same)


def _matching(runs: Runs, wanted: Filter, keep: Callable[[dict[str, Any]], bool]) -> Iterator[Run]:
    yield from (complete(runs.find(row["run_id"])) for row in list_runs(runs.store, wanted) if keep(row))


_KINDS: dict[str, Callable[[Runs, str], Iterator[Run]]] = {"label": _labelled, "series": _series, "plan": _plan}
