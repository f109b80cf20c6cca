"""A summary: cases that passed or did not, as test reports have them, and a page for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mlharness.summarising.blocks import Block

Outcome = Literal["passed", "failed", "error", "skipped"]
OUTCOMES: tuple[Outcome, ...] = ("passed", "failed", "error", "skipped")


@dataclass(frozen=True)
class Figure:
    """A number for a dashboard; a latency's unit is ns."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class Case:
    """One thing that was asked for.

    ``failed`` was measured and is not as it should be; ``error`` could not be found out. ``suite`` and ``name`` are the
    same each time the same is asked, so that whoever keeps reports can follow a case. ``details`` are names with texts.
    """

    suite: str
    name: str
    outcome: Outcome = "passed"
    message: str = ""
    details: Sequence[tuple[str, str]] = ()
    figures: Sequence[Figure] = ()
    seconds: float | None = None
    run_id: str = ""


@dataclass(frozen=True)
class Summary:
    """What a command found: its cases, and the blocks of its page.

    ``started`` is a time in UTC as results write it; ``version`` is mlharness's.
    """

    command: str
    started: str
    host: str
    version: str
    cases: Sequence[Case]
    blocks: Sequence[Block] = ()

    @property
    def outcome(self) -> Outcome:
        """Error before failed before passed."""
        found = {case.outcome for case in self.cases}
        return next((outcome for outcome in ("error", "failed") if outcome in found), "passed")

    def counts(self) -> dict[Outcome, int]:
        """How many cases have each outcome."""
        found = Counter(case.outcome for case in self.cases)
        return {outcome: found[outcome] for outcome in OUTCOMES}


def told_apart(cases: Iterable[Case]) -> Iterator[Case]:
    """The same cases; of several with one suite and name, those after the first are numbered."""
    seen = Counter[tuple[str, str]]()
    for case in cases:
        seen[case.suite, case.name] += 1
        number = seen[case.suite, case.name]
        yield case if number == 1 else replace(case, name=f"{case.name} ({number})")
