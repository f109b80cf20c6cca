"""Finds the highest rate at which Server is VALID: bracket, bisect with short trials, confirm with one full run.

Each trial is a LoadGen test in a runner of its own, judged by LoadGen's verdict. LoadGen's own search is not used: it
ends with INVALID after a success.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from mlharness.measuring import Measured
from mlharness.runner.job import Calibration
from mlharness.stats import queries_needed

TRIAL_SECONDS = 2.0
TRIAL_QUERIES = 700
"""Early stopping needs 662 queries to let one be later than the 99th percentile's limit, and 459 to let none."""
TRIAL_LIMIT_S = 5.0
"""No trial's schedule is longer, however few queries that makes: at 20 queries/s 700 would take 35 s."""
PRECISION = 1.05
"""The search ends when the lowest INVALID rate is at most this much above the highest VALID one."""
SHORT_PRECISION = 1.15
"""The same where trials are too short for early stopping: what they say is not more precise."""
MAX_TRIALS = 14
SEARCH_LIMIT_S = 30.0
"""No trial begins later."""
HOPELESS_SHARE = 0.1
"""Below this share of the calibrated throughput there is hardly a queue: a limit that is missed there is never met."""
CONFIRMATIONS = 4
PATIENCE_S = 75.0
"""No confirming run but the first begins later after the search began, unless the user wants runs that are longer."""
BACK_OFF = 0.95
"""What the rate is multiplied by when the confirming run is INVALID."""
SHORT_BACK_OFF = 0.9
"""The same for the best rate of trials that were too short for early stopping, before it is confirmed."""

Trial = Callable[[float | None, Calibration | None], Measured]
"""Runs a trial of :func:`trial_seconds` at a rate (None: the runner's own first guess) with a known calibration."""
Confirm = Callable[[float, Calibration], Measured]


@dataclass(frozen=True)
class Found:
    """What a search ended with.

    ``measured`` is the confirming run, or the last trial when there was nothing to confirm; ``note`` then says why.
    """

    measured: Measured
    trials: list[dict[str, Any]]
    note: str = ""


@dataclass
class Search:
    """The trials so far, and the bracket that they leave."""

    trials: list[dict[str, Any]] = field(default_factory=list)
    valid: float = 0.0
    invalid: float = math.inf
    short: bool = False
    """True when the best trial had too few queries for early stopping."""

    def note(self, measured: Measured, purpose: str) -> bool:
        """Record a trial; true when it passed."""
        rate, good = float(measured.settings["server_target_qps"]), passed(measured)
        self.trials.append(
            {
                "purpose": purpose,
                "target_qps": rate,
                "queries": int(measured.log.need("result_query_count")),
                "valid": good,
                "p99_latency_ns": measured.log.values.get("result_99.00_percentile_latency_ns"),
            }
        )
        if good and rate > self.valid:
            self.valid, self.short = rate, too_few(measured)
        elif not good:
            self.invalid = min(self.invalid, rate)
        return good

    @property
    def done(self) -> bool:
        """True when the bracket is narrow enough, or the trials are used up."""
        precision = SHORT_PRECISION if self.short else PRECISION
        return len(self.trials) >= MAX_TRIALS or self.invalid <= self.valid * precision

    def hopeless(self, throughput: float) -> bool:
        """True when no rate was VALID, not even one at which samples hardly wait for each other."""
        return not self.valid and self.invalid < HOPELESS_SHARE * throughput

    def next_rate(self) -> float:
        """Grow until a rate is INVALID, shrink until one is VALID, then the geometric middle."""
        if math.isinf(self.invalid):
            return self.valid * 1.5
        return math.sqrt(self.valid * self.invalid) if self.valid else self.invalid / 2

    @property
    def best(self) -> float:
        """The rate to confirm."""
        return self.valid * (SHORT_BACK_OFF if self.short else 1.0)


def trial_seconds(rate: float | None) -> float:
    """How long a trial's schedule is: long enough for early stopping where a few seconds are."""
    return TRIAL_LIMIT_S if rate is None else min(TRIAL_LIMIT_S, max(TRIAL_SECONDS, TRIAL_QUERIES / rate))


def too_few(measured: Measured) -> bool:
    """True when early stopping would not have been satisfied even if no query had been late."""
    # MLPerf has other percentiles than the 99th for some models.
    share = float(measured.settings["server_target_latency_percentile"])
    return measured.log.need("result_query_count") < queries_needed(0, share)


def passed(measured: Measured) -> bool:
    """LoadGen's verdict; that on its other rules where there were too few queries for early stopping."""
    log = measured.log
    others = ("result_min_duration_met", "result_min_queries_met", "result_perf_constraints_met")
    met = not log.error_count and all(log.values.get(rule) is True for rule in others)
    return log.valid or (met and too_few(measured))


def find_rate(
    trial: Trial, confirm: Confirm, patience_s: float = PATIENCE_S, clock: Callable[[], float] = monotonic
) -> Found:
    """Search, then confirm.

    Args:
        trial: runs a trial.
        confirm: runs a test of full length.
        patience_s: no second confirming run begins later than so many seconds after the search began.
        clock: seconds that never go back.

    Returns:
        The confirming run, which may be INVALID when no rate is VALID for as long as a run lasts; and all trials. When
        the latency limit cannot be met at any rate, the last trial stands for the confirming run.
    """
    search, began = Search(), clock()
    measured = trial(None, None)
    calibration = measured.calibration
    good = search.note(measured, "trial")
    if not good and calibration.query_latency_ns >= limit_ns(measured):
        alone = f"a single query takes {calibration.query_latency_ns / 1e6:.3g} ms"
        return Found(measured, search.trials, f"no rate was searched: {alone}{told_limit(measured)}")
    while not search.done and clock() - began < SEARCH_LIMIT_S:
        measured = trial(search.next_rate(), calibration)
        search.note(measured, "trial")
        if search.hopeless(calibration.samples_per_second):
            break
    if not search.valid:
        lowest = f"{search.invalid:.3g} queries/s are too many"
        return Found(measured, search.trials, f"no rate was found: {lowest}{told_limit(measured)}")
    rate = search.best
    for number in range(CONFIRMATIONS):
        if number and clock() - began > patience_s:
            break
        measured = confirm(rate, calibration)
        if search.note(measured, "confirmation"):
            break
        rate *= BACK_OFF
    return Found(measured, search.trials)


def limit_ns(measured: Measured) -> int:
    """The latency limit that a test was held against."""
    return int(measured.settings["server_target_latency_ns"])


def told_limit(measured: Measured) -> str:
    """The latency limit, and the option that changes it."""
    return f", and the latency limit is {limit_ns(measured) / 1e6:.3g} ms (--target-latency)"
