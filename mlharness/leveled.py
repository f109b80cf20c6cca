"""Leveled experimentation: the same plan untraced, then with more and more levels, so that each level's cost is known.

A profiler slows down what it looks at, and the more so, the deeper it looks. So the times of a level are taken from the
run in which nothing deeper was recorded. The method is XSP's (arXiv 1908.06869). The runs of a round follow each other
at once, since a machine's speed drifts over minutes, and begin with another one each round.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlharness.errors import RunError, UserError
from mlharness.measuring import Measured, measure
from mlharness.plan import RunPlan
from mlharness.runner.job import Calibration, TraceJob
from mlharness.stats import t_quantile
from mlharness.supervise import Watch
from mlharness.trace.files import FOLDER, SOURCES, level_folder
from mlharness.trace.levels import LEVELS, MODEL
from mlharness.tracing import LOGS, TraceWish, assemble, slower, speed, speed_name

ROUNDS = 5
"""With five pairs Student's t is 2.8; with three it would be 4.3, and intervals half as wide again."""
ROUND_S = 1.0
"""How long each test lasts, unless the measured one is shorter."""
CONFIDENCE = 0.95
SCRATCH = "leveled"
"""In the trace's folder: every run of the experiment, of which one for each level is kept."""


@dataclass
class LevelSet:
    """One member of the experiment: its levels (none: untraced), and its speed in each round (None: it failed)."""

    levels: tuple[str, ...]
    speeds: list[float | None] = field(default_factory=list)
    missing: str = ""
    """Why the deepest level was not recorded, so that later rounds leave the set out."""

    @property
    def deepest(self) -> str:
        """The level that this set adds; empty for the untraced one."""
        return self.levels[-1] if self.levels else ""

    def nearest_round(self) -> int | None:
        """The round whose speed is nearest to the median of all; None when every one failed."""
        known = {number: value for number, value in enumerate(self.speeds) if value is not None}
        if not known:
            return None
        middle = statistics.median(known.values())
        return min(known, key=lambda number: abs(known[number] - middle))


def nested(levels: Sequence[str]) -> list[LevelSet]:
    """Untraced, then the levels one by one from the outside in; application and model come together."""
    outer = tuple(level for level in levels if LEVELS.index(level) <= MODEL)
    inner = [level for level in levels if LEVELS.index(level) > MODEL]
    steps = [outer] if outer else []
    for level in inner:
        steps.append((*(steps[-1] if steps else ()), level))
    return [LevelSet(()), *map(LevelSet, steps)]


class Experiment:
    """The runs of one leveled experiment, in a folder of the run directory.

    Args:
        plan: what was measured.
        wish: the levels, and which queries are kept.
        directory: the run's.
        watch: makes the watch of a run from what is said before its phases.
        runner_log: file to which the runners' output is appended.
        calibration: that of the measured run.
    """

    def __init__(
        self,
        plan: RunPlan,
        wish: TraceWish,
        directory: Path,
        watch: Callable[[str], Watch],
        runner_log: Path,
        calibration: Calibration | None,
    ) -> None:
        seconds = min(plan.test.duration_s or ROUND_S, ROUND_S)
        self._plan = plan.with_test(duration_s=seconds, min_queries=1, rules="quick")
        self._wish, self._directory, self._watch = wish, directory, watch
        self._log, self._calibration = runner_log, calibration
        self._seconds = seconds
        self.sets = nested(wish.levels)
        self.failures: list[str] = []

    def run(self, rounds: int = ROUNDS) -> dict[str, Any]:
        """All rounds; returns ``leveled`` of the result, and leaves each level's spans in its folder."""
        try:
            for number in range(rounds):
                self._round(number)
            kept = {chosen.deepest: self._keep(chosen) for chosen in self.sets if chosen.levels}
        finally:
            shutil.rmtree(self._directory / FOLDER / SCRATCH, ignore_errors=True)
        return self._document(rounds, kept)

    def _round(self, number: int) -> None:
        """Each set once; another one is the first in each round."""
        turn = number % len(self.sets)
        for chosen in self.sets[turn:] + self.sets[:turn]:
            if chosen.missing:
                chosen.speeds.append(None)
                continue
            chosen.speeds.append(speed(self._measure(chosen, number), self._plan.test.scenario))
            if number == 0 and chosen.levels:
                chosen.missing = why_missing(self._folder(chosen, number) / FOLDER, chosen.deepest)

    def _measure(self, chosen: LevelSet, number: int) -> Measured | None:
        folder = self._folder(chosen, number) / FOLDER
        job = TraceJob(chosen.levels, str(folder), self._wish.every, self._wish.first) if chosen.levels else None
        watch = self._watch(f"level {chosen.deepest or 'none'}, round {number + 1}: ")
        try:
            return measure(self._plan, folder / LOGS, watch, self._log, calibration=self._calibration, trace=job)
        except (RunError, UserError, OSError) as error:
            self.failures.append(f"{chosen.deepest or 'untraced'}, round {number + 1}: {error}")
            return None

    def _keep(self, chosen: LevelSet) -> str | None:
        """Put the median run's spans into the level's folder; returns its place in the run directory."""
        number = chosen.nearest_round()
        if number is None or chosen.missing:
            return None
        folder, target = self._folder(chosen, number), level_folder(self._directory, chosen.deepest)
        try:
            assemble(folder, TraceWish(chosen.levels, self._wish.every, self._wish.first))
            target.mkdir(parents=True, exist_ok=True)
            for path in folder.glob("*.parquet"):
                path.replace(target / path.name)
        except (RunError, UserError, OSError, ValueError) as error:
            self.failures.append(f"{chosen.deepest}: the trace could not be put together: {error}")
            return None
        return str(target.relative_to(self._directory))

    def _folder(self, chosen: LevelSet, number: int) -> Path:
        return self._directory / FOLDER / SCRATCH / f"{chosen.deepest or 'untraced'}-{number}"

    def _document(self, rounds: int, kept: dict[str, str | None]) -> dict[str, Any]:
        scenario, untraced = self._plan.test.scenario, self.sets[0]
        described, before = [], untraced
        for chosen in self.sets:
            counts = bool(chosen.levels) and not chosen.missing
            described.append(
                {
                    "levels": list(chosen.levels),
                    "speeds": chosen.speeds,
                    "median": median(chosen.speeds),
                    "overhead": overhead(untraced.speeds, chosen.speeds, scenario) if counts else None,
                    "added": overhead(before.speeds, chosen.speeds, scenario) if counts else None,
                    "folder": kept.get(chosen.deepest),
                    "missing": chosen.missing,
                }
            )
            before = before if chosen.missing else chosen
        return {
            "figure": speed_name(scenario), "rounds": rounds, "seconds": self._seconds, "confidence": CONFIDENCE,
            "sets": described, "failures": self.failures,
        }  # fmt: skip


def why_missing(folder: Path, level: str) -> str:
    """Why a traced run has nothing of a level; empty when it has, or when the run left no word of it."""
    path = folder / SOURCES
    if LEVELS.index(level) <= MODEL or not path.is_file():
        return ""
    sources = [one for one in json.loads(path.read_text(encoding="utf-8"))["sources"] if one["level"] == level]
    if any(one["state"] == "recorded" and one["spans"] + one["readings"] for one in sources):
        return ""
    reasons = [one["reason"] or f"{one['name']} recorded nothing" for one in sources]
    return "; ".join(reasons) or "no installed plugin has a tracer of this level for this framework"


def median(speeds: Sequence[float | None]) -> float | None:
    """Of the rounds that did not fail."""
    known = [value for value in speeds if value is not None]
    return statistics.median(known) if known else None


def overhead(before: Sequence[float | None], after: Sequence[float | None], scenario: str) -> dict[str, Any] | None:
    """By how many percent the second set was slower, with its interval over rounds; None when no round has both.

    The mean of the logarithms of the rounds' ratios, with Student's t over rounds: runs of one round share the
    machine's state, and queries of one run are one observation. One round has no interval.
    """
    pairs = zip(before, after, strict=True)
    logs = [math.log(slower(one, two, scenario)) for one, two in pairs if one is not None and two is not None]
    if not logs:
        return None
    centre, interval = statistics.fmean(logs), None
    if len(logs) > 1:
        half = t_quantile((1 + CONFIDENCE) / 2, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
        interval = [percent(centre - half), percent(centre + half)]
    return {"percent": percent(centre), "interval": interval, "rounds": len(logs)}


def percent(logarithm: float) -> float:
    """A ratio's logarithm as the percent by which it is above one."""
    return 100 * math.expm1(logarithm)
