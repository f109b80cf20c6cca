"""Grades a run A to D by how much its host was disturbed: pure functions from samples to grade, reasons, stretches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mlharness.telemetry import Sample

GRADES = ("A", "B", "C", "D")
Figures = Mapping[str, float]
"""How bad one stretch was: a criterion's name and its figure; what the host does not tell is not in it."""


@dataclass(frozen=True)
class Criterion:
    """One thing that disturbs: the most that A, B and C allow, the words around a figure, and how it is written."""

    name: str
    allowed: tuple[float, float, float]
    words: str
    write: Callable[[float], str]

    def grade(self, figure: float) -> str:
        """A to D."""
        return GRADES[sum(figure > most for most in self.allowed)]

    def reason(self, figure: float) -> str:
        """The figure in words, its grade, and what A would have allowed."""
        told = self.words.format(self.write(figure))
        return f"{told} (grade {self.grade(figure)}; A allows {self.write(self.allowed[0])})"


def percent(share: float) -> str:
    """A share, 0 to 1, as a figure for people."""
    return f"{100 * share:.3g} %"


def plain(figure: float) -> str:
    """Any other figure for people."""
    return f"{figure:.3g}"


CPU_SHARES = (0.03, 0.10, 0.25)
"""A share of the cores lost to others costs about that share of throughput. 3 % is what repeats on a quiet host spread
by and what the ticks of the kernel blur; beyond 10 % neighbouring settings cannot be told apart; beyond 25 % nothing
can."""
STEAL_SHARES = (0.01, 0.05, 0.15)
"""Stricter: stolen time stops a core in the middle of a query, so that percentiles suffer before the mean does."""
THROTTLED_SHARES = (0.01, 0.05, 0.20)
"""A throttled period stops every thread for up to 100 ms: 1 % of them already decide the 99th percentile."""
CLOCK_SHARES = (0.05, 0.10, 0.25)
"""Turbo settles by about 5 % in the first seconds on a cool machine; more is heat or a power limit."""
SWAP_MIB_S = (0.1, 1.0, 10.0)
"""Pages of processes that sleep trickle out on a healthy host; a MiB a second is memory that somebody needs back."""
FAULTS_S = (1.0, 10.0, 100.0)
"""A major fault waits for the disk, 0.1 ms to 10 ms: 10 a second can be 10 % of a core, 100 a whole one."""
GPU_FOREIGN = (0.0, 0.0, math.inf)
"""NVML does not say how much another process uses, so that its presence alone makes a C, and nothing worse."""

CRITERIA: tuple[Criterion, ...] = (
    Criterion("other_cpu", CPU_SHARES, "other processes took {} of the usable cores", percent),
    Criterion("steal", STEAL_SHARES, "the hypervisor withheld {} of the CPU time (steal)", percent),
    Criterion("throttled", THROTTLED_SHARES, "the cgroup was throttled in {} of its periods", percent),
    Criterion("clock_loss", CLOCK_SHARES, "the clock was {} below its highest", percent),
    Criterion("swap_mib_s", SWAP_MIB_S, "the host swapped {} MiB/s", plain),
    Criterion("major_faults_s", FAULTS_S, "the run waited for {} pages a second from disk (major faults)", plain),
    Criterion("gpu_clock_loss", CLOCK_SHARES, "the GPU's clock was {} below its highest", percent),
    Criterion("gpu_foreign", GPU_FOREIGN, "{} other processes were on the GPU", plain),
)

CONTAMINATED = ("C", "D")
"""A sample of these grades belongs to a contaminated stretch."""
CONTAMINATED_SHARE = 0.10
"""A stretch makes a B at best, even if the mean is good; beyond a tenth of the time it reaches the 90th percentile,
which makes a C."""


def grade(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """The result's ``quality``: grade, reasons with figures, contaminated stretches, and the number of samples.

    Args:
        samples: those of the performance test, in order.

    Returns:
        None when there is nothing to grade by: no sample that knows what other processes took.
    """
    figures = measure_all(samples)
    if not any("other_cpu" in found for found in figures):
        return None
    seconds = [sample.seconds for sample in samples]
    overall = mean(figures, seconds)
    stretches = find_stretches(samples, figures)
    grades = [criterion.grade(overall[criterion.name]) for criterion in CRITERIA if criterion.name in overall]
    reasons = reasons_of(overall)
    if stretches:
        bad = sum(stretch["end_s"] - stretch["start_s"] for stretch in stretches)
        share = bad / sum(seconds)
        grades.append("C" if share > CONTAMINATED_SHARE else "B")
        reasons.append(f"{bad:.1f} s of {sum(seconds):.1f} s were contaminated (grade {grades[-1]})")
    return {"grade": max(grades), "reasons": reasons, "stretches": stretches, "samples": len(samples)}


def measure_all(samples: Sequence[Sample]) -> list[Figures]:
    """The figures of each sample; clocks are held against the highest of them all."""
    best = {name: max(_told(samples, name), default=0.0) for name in ("clock_mhz", "gpu_clock_mhz")}
    return [measure_one(sample, best) for sample in samples]


def measure_one(sample: Sample, best: Mapping[str, float]) -> Figures:
    """The figures of one sample; ``best`` are the highest clocks, in MHz."""
    losses = {
        "clock_loss": _loss(sample.clock_mhz, best["clock_mhz"]),
        "gpu_clock_loss": _loss(sample.gpu_clock_mhz, best["gpu_clock_mhz"]),
    }
    found = {
        criterion.name: losses.get(criterion.name, getattr(sample, criterion.name, None)) for criterion in CRITERIA
    }
    return {name: float(figure) for name, figure in found.items() if figure is not None}


def mean(figures: Sequence[Figures], seconds: Sequence[float]) -> Figures:
    """The mean of each figure over the time in which it was known."""
    means = {}
    for criterion in CRITERIA:
        pairs = [
            (found[criterion.name], s) for found, s in zip(figures, seconds, strict=True) if criterion.name in found
        ]
        if pairs:
            means[criterion.name] = sum(figure * s for figure, s in pairs) / sum(s for _, s in pairs)
    return means


def reasons_of(figures: Figures, grades: Sequence[str] = ("B", "C", "D")) -> list[str]:
    """A sentence for each figure of these grades."""
    known = [criterion for criterion in CRITERIA if criterion.name in figures]
    return [
        criterion.reason(figures[criterion.name])
        for criterion in known
        if criterion.grade(figures[criterion.name]) in grades
    ]


def find_stretches(samples: Sequence[Sample], figures: Sequence[Figures]) -> list[dict[str, Any]]:
    """Neighbouring contaminated samples joined: ``start_s`` and ``end_s`` from the run's start, and reasons."""
    pairs = list(zip(samples, figures, strict=True))
    found = []
    for contaminated, group in groupby(pairs, lambda pair: bool(reasons_of(pair[1], CONTAMINATED))):
        if contaminated:
            members = list(group)
            overall = mean([figure for _, figure in members], [sample.seconds for sample, _ in members])
            start, end = members[0][0].start_s, members[-1][0].end_s
            # Two causes that take turns may each be mild over the whole stretch: then every one above A is told.
            reasons = reasons_of(overall, CONTAMINATED) or reasons_of(overall)
            found.append({"start_s": round(start, 3), "end_s": round(end, 3), "reasons": reasons})
    return found


def _told(samples: Sequence[Sample], name: str) -> list[float]:
    return [value for sample in samples if (value := getattr(sample, name)) is not None]


def _loss(clock: float | None, best: float) -> float | None:
    return None if clock is None or best <= 0 else 1 - clock / best
