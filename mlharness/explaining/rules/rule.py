"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlharness.explaining.evidence import Evidence


@dataclass(frozen=True)
class Fact:
    """One figure of a finding's evidence. ``unit`` is ``share`` (a part of 1), ``ns``, or what a person would write."""

    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True)
class Gain:
    """What a change is predicted to bring: ``what`` becomes so many times better; ``how`` gives the calculation."""

    what: str
    factor: float
    how: str


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    ``weight`` is the share of time that is at stake, 0 to 1, by which findings are ordered. Without a ``gain``,
    ``no_gain`` says why none is predicted.
    """

    verdict: str
    facts: tuple[Fact, ...]
    change: str
    weight: float
    gain: Gain | None = None
    no_gain: str = ""

    def __post_init__(self) -> None:
        assert self.gain or self.no_gain, "a finding predicts a gain, or says why it does not"


@dataclass(frozen=True)
class Unsaid:
    """Why a rule cannot judge."""

    reason: str


@dataclass(frozen=True)
class Rule:
    """A rule: its name, what it looks for, the levels without which it cannot judge, and the judgement."""

    name: str
    doc: str
    needs: tuple[str, ...]
    judge: Callable[[Evidence], Finding | Unsaid | None]


THROUGHPUT, LATENCY, CALL = "samples a second", "a query's latency", "a call's latency"


def speed_of(evidence: Evidence) -> str:
    """What becomes better when every batch takes less time: of Offline samples a second, else latency."""
    return THROUGHPUT if evidence.setup.scenario == "Offline" else LATENCY


def amdahl(share: float, times: float) -> float:
    """How many times as fast the whole is when a share of it (0 to 1) becomes so many times as fast.

    Source: G. Amdahl, AFIPS Spring Joint Computer Conference (1967).
    """
    return 1 / (1 - share + share / times)


def percent(share: float) -> str:
    """A share for people."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


def duration(nanoseconds: float) -> str:
    """A time for people."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= 0.9995 * size:  # what would be written as 1000 of the next unit
            value = nanoseconds / size
            return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"
    return f"{nanoseconds:.0f} ns"
