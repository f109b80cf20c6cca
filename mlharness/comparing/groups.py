"""Groups of repeated runs: which of them count, and which of two groups were recorded in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlharness.comparing.fairness import differences
from mlharness.comparing.runs import Run
from mlharness.errors import UserError

SERIES = "mlh.series"
"""The label that runs of one ``mlh bench`` share; with ``--against``, those of one side."""
PAIR = "mlh.pair"
"""The label that two runs of the sides of one ``mlh bench --against`` share: the number of their pair."""
HARMLESS = ("outputs", "load")
"""Aspects in which repeated runs of one thing may differ: outputs by rounding, and LoadGen's seeds."""


@dataclass(frozen=True)
class LeftOut:
    """A run that does not count, and why."""

    run: str
    reason: str


@dataclass(frozen=True)
class Group:
    """Runs of one thing, as they were asked for: the name is what the user wrote."""

    name: str
    runs: tuple[Run, ...]

    def used(self) -> list[Run]:
        """The runs that count, in the order in which they were made: valid ones."""
        valid = [run for run in self.runs if run.result["status"] == "valid"]
        return sorted(valid, key=lambda run: (str(run.result["started"]), run.id))

    def left_out(self) -> list[LeftOut]:
        """The others, with their reasons."""
        return [LeftOut(run.id, _why(run)) for run in self.runs if run.result["status"] != "valid"]

    def mixed(self) -> str:
        """Why these are no repeated runs of one thing; empty when they are."""
        used = self.used()
        for run in used[1:]:
            for found in differences(used[0], run):
                if found.unfair or found.aspect not in HARMLESS:
                    return f"its runs differ in {found.aspect} ({found.name}): {used[0].id} and {run.id}"
        return ""


def check_groups(groups: Sequence[Group]) -> None:
    """Raises UserError when a run stands on two sides: then it would be compared with itself."""
    seen: dict[str, str] = {}
    for group in groups:
        for run in {run.id for run in group.runs}:
            if run in seen:
                raise UserError(
                    f"{seen[run]!r} and {group.name!r} both hold run {run}",
                    "Name other runs: a run differs from itself in nothing.",
                )
            seen[run] = group.name


def pairs(a: Sequence[Run], b: Sequence[Run]) -> list[tuple[Run, Run]] | None:
    """The pairs in which two sides of one ``mlh bench --against`` were recorded; None unless all runs were.

    A run whose partner does not count is in no pair. Two runs are a pair when they are the only ones with their number
    and their series is the same but for the side.
    """
    ones, others = ({_place(run): run for run in side} for side in (a, b))
    if None in ones or None in others or len(ones) < len(a) or len(others) < len(b):
        return None
    if len({place[0] for place in (*ones, *others) if place}) > 1:
        return None
    numbers = sorted((place for place in ones if place in others), key=lambda place: int(place[1]) if place else 0)
    return [(ones[place], others[place]) for place in numbers]


def side_label(series: str, side: str) -> str:
    """The series of one side of ``mlh bench --against``."""
    return f"{series}-{side}"


def _place(run: Run) -> tuple[str, str] | None:
    series, number = run.label(SERIES), run.label(PAIR)
    if series is None or number is None or not number.isdecimal():
        return None
    return series.rpartition("-")[0], number


def _why(run: Run) -> str:
    reasons = "; ".join(run.result["invalid_reasons"])
    return f"{run.result['status']}: {reasons}" if reasons else str(run.result["status"])
