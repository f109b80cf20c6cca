"""Finds the highest rate at which Server is VALID: bracket, bisect with short trials, confirm with one full run.

Each trial is a LoadGen test in a runner of its own, judged by LoadGen's verdict. LoadGen's own search is not used: it
ends with INVALID after a success.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mlharness.measuring import Measured
from mlharness.runner.job import Calibration

TRIAL_SECONDS = 2.0
TRIAL_MIN_QUERIES = 700
"""Early stopping needs 459 queries to speak of the 99th percentile, and more as soon as one is late."""
PRECISION = 1.05
"""The search ends when the lowest INVALID rate is at most this much above the highest VALID one."""
MAX_TRIALS = 14
HOPELESS_SHARE = 0.1
"""Below this share of the calibrated throughput there is hardly a queue: a limit that is missed there is never met."""
CONFIRMATIONS = 4
BACK_OFF = 0.95
"""What the rate is multiplied by when the confirming run is INVALID."""

Trial = Callable[[float | None, Calibration | None], Measured]
"""Runs a short trial at a rate (None: the runner's own first guess) with a known calibration."""
Confirm = Callable[[float, Calibration], Measured]


@dataclass
class Search:
    """The trials so far, and the bracket that they leave."""

    trials: list[dict[str, Any]] = field(default_factory=list)
    valid: float = 0.0
    invalid: float = math.inf

    def note(self, measured: Measured, purpose: str) -> bool:
        """Record a trial; true when LoadGen called it VALID."""
        rate, valid = float(measured.settings["server_target_qps"]), measured.log.valid
        self.trials.append(
            {
                "purpose": purpose,
                "target_qps": rate,
                "valid": valid,
                "p99_latency_ns": measured.log.values.get("result_99.00_percentile_latency_ns"),
            }
        )
        if valid:
            self.valid = max(self.valid, rate)
        else:
            self.invalid = min(self.invalid, rate)
        return valid

    @property
    def done(self) -> bool:
        """True when the bracket is narrow enough, or the trials are used up."""
        return len(self.trials) >= MAX_TRIALS or self.invalid <= self.valid * PRECISION

    def hopeless(self, throughput: float) -> bool:
        """True when no rate was VALID, not even one at which samples hardly wait for each other."""
        return not self.valid and self.invalid < HOPELESS_SHARE * throughput

    def next_rate(self) -> float:
        """Grow until a rate is INVALID, shrink until one is VALID, then the geometric middle."""
        if math.isinf(self.invalid):
            return self.valid * 1.5
        return math.sqrt(self.valid * self.invalid) if self.valid else self.invalid / 2


def find_rate(trial: Trial, confirm: Confirm) -> tuple[Measured, list[dict[str, Any]]]:
    """Search, then confirm.

    Returns:
        The confirming run, which may be INVALID when no rate is VALID for as long as a run lasts; and all trials. When
        the latency limit cannot be met at any rate, the last trial stands for the confirming run.
    """
    search = Search()
    measured = trial(None, None)
    calibration = measured.calibration
    search.note(measured, "trial")
    while not search.done:
        measured = trial(search.next_rate(), calibration)
        search.note(measured, "trial")
        if search.hopeless(calibration.samples_per_second):
            return measured, search.trials
    rate = search.valid or search.invalid
    for _ in range(CONFIRMATIONS):
        measured = confirm(rate, calibration)
        if search.note(measured, "confirmation"):
            break
        rate *= BACK_OFF
    return measured, search.trials
