"""Which runs the words of a command line mean.

A selection is a run's name as everywhere, several joined by commas, a pattern (``*digits*``), ``label:KEY=VALUE``, or
``series:NAME`` or ``plan:NAME``: all runs of the series, or of the plan, of the run that is named.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mlharness.comparing.groups import SERIES, Group
from mlharness.comparing.runs import Document, Run, complete
from mlharness.errors import UserError
from mlharness.runs import SEE, Runs
from mlharness.store.querying import Filter, ids_beginning, list_runs

_WILD = "*?["
_ALL = 1_000_000
"""More runs than a store has."""
_REPETITION = ("run_id", "plan_sha256", "host", "framework_version")
"""The columns that say of what a run is a repetition."""


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
    yield from _matching(runs, Filter(labels=((key, value),)))


def _series(runs: Runs, name: str) -> Iterator[Run]:
    one = runs.find(name)
    series = one.result["labels"].get(SERIES)
    if series is None:
        raise UserError(
            f"run {one.run_id} is of no series", "Runs of --repeat and --against are: mlh bench --repeat 7."
        )
    yield from _matching(runs, Filter(labels=((SERIES, series),)))


def repetition(result: Document) -> tuple[Any, Any, Any]:
    """What runs of one thing have in common: plans leave host and version open, and others of those are another."""
    return result["plan_sha256"], result["system"].get("host", ""), result["framework"]["version"]


def ids_of_plan(runs: Runs, result: Document) -> list[str]:
    """The ids of all runs of the same plan, on the same host, with the same version, the latest first."""
    rows = list_runs(runs.store, Filter(models=(result["model"]["name"],)), columns=_REPETITION)
    wanted = repetition(result)
    return [row["run_id"] for row in rows if (row["plan_sha256"], row["host"], row["framework_version"]) == wanted]


def _plan(runs: Runs, name: str) -> Iterator[Run]:
    yield from (complete(runs.find(run_id)) for run_id in ids_of_plan(runs, runs.find(name).result))


def _matching(runs: Runs, wanted: Filter) -> Iterator[Run]:
    yield from (complete(runs.find(row["run_id"])) for row in list_runs(runs.store, wanted, columns=("run_id",)))


_KINDS: dict[str, Callable[[Runs, str], Iterator[Run]]] = {"label": _labelled, "series": _series, "plan": _plan}
