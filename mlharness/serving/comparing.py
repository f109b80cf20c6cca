"""The comparison of chosen runs: which of them are one side, and the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from mlharness.comparing.comparison import compare_groups
from mlharness.comparing.groups import Group
from mlharness.comparing.runs import Run, complete
from mlharness.comparing.selecting import ids_of_plan, repetition, select_runs
from mlharness.errors import did_you_mean
from mlharness.runs import StoredRuns
from mlharness.serving.questions import last, read_chosen
from mlharness.serving.trouble import NoPageError, answered

MOST_SIDES = 20
WAYS = {
    "repeated": "Chosen runs of one plan together",
    "each": "Each run by itself",
    "plan": "All runs of those plans",
}
"""How chosen runs become sides."""


@dataclass(frozen=True)
class Sides:
    """What is compared: the groups, and how the address said so.

    Attributes:
        chosen: the run ids of the address.
        way: one of ``WAYS``.
        anyway: whether unfair pairs are ranked, too.
    """

    groups: tuple[Group, ...]
    chosen: tuple[str, ...]
    way: str
    anyway: bool

    def link(self, **changes: Any) -> str:
        """The address of the same with something else."""
        options = {"by": self.way, "anyway": "1" if self.anyway else "", **changes}
        said = [(name, value) for name, value in options.items() if value and (name, value) != ("by", "repeated")]
        return f"/compare?{urlencode([*(('run', run_id) for run_id in self.chosen), *said], errors='replace')}"

    def compare(self) -> dict[str, Any]:
        """The document of ``mlh compare --json``. Raises NoPageError (400)."""
        with answered(400):
            return compare_groups(self.groups, self.anyway)


def read_sides(given: MultiDict[str, str], runs: StoredRuns) -> Sides:
    """What an address compares: each ``run`` of it, put together as ``by`` says.

    Raises:
        NoPageError: there are fewer than two sides, or too many (400), or there is no such run (404).
    """
    chosen, way = read_chosen(given), last(given, "by") or "repeated"
    if way not in WAYS:
        raise NoPageError(400, f"Sides cannot be made by {way!r}.", did_you_mean(way, WAYS))
    with answered(404):
        found = [runs.id_of(run_id) for run_id in chosen]
    groups = grouped([complete(runs.stored(run_id)) for run_id in found], way, runs)
    if len(groups) < 2:
        one = " Runs of one plan are one side." if len(chosen) > 1 else ""
        raise NoPageError(400, f"There is nothing to compare.{one}", "Choose two runs or more in the list.")
    if len(groups) > MOST_SIDES:
        raise NoPageError(400, f"There are {len(groups)} sides, and {MOST_SIDES} are the most.", "Choose fewer runs.")
    return Sides(tuple(groups), chosen, way, last(given, "anyway") == "1")


def grouped(chosen: Iterable[Run], way: str, runs: StoredRuns) -> list[Group]:
    """Chosen runs as sides, in the order of their first runs.

    Where all of them are repetitions of one thing, each is a side: otherwise there would be nothing to compare.
    """
    alike: dict[object, list[Run]] = {}
    for run in {run.id: run for run in chosen}.values():
        alike.setdefault(run.id if way == "each" else repetition(run.result), []).append(run)
    if way == "repeated" and len(alike) == 1:
        return grouped(next(iter(alike.values())), "each", runs)
    if way == "plan":
        return [select_runs(runs, f"plan:{same[0].id}") for same in alike.values()]
    return [Group(name_of(same, runs), tuple(same)) for same in alike.values()]


def name_of(same: list[Run], runs: StoredRuns) -> str:
    """A side's name, by which ``mlh compare`` finds it: as short as it can be."""
    if len(same) > 1 and {run.id for run in same} == set(ids_of_plan(runs, same[0].result)):
        return f"plan:{same[0].id}"
    return ",".join(run.id for run in same)
