"""One clock for all spans: CLOCK_MONOTONIC, in nanoseconds; what comes in wall-clock time is moved onto it.

On Linux ``time.perf_counter_ns``, with which workers clock, and ``time.monotonic_ns`` both read it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

Clock = Literal["monotonic", "wall"]
STEP_NS = 1_000
"""The wall clock was set when its distance changed by more. Both clocks are slewed alike, so only a step shows."""


@dataclass(frozen=True)
class Offset:
    """How far the wall clock is ahead of the monotonic one, known to within ``window_ns``; all in nanoseconds."""

    offset_ns: int
    window_ns: int


def measure_offset(readings: int = 200) -> Offset:
    """The offset now: of many readings of the wall clock between two of the monotonic one, the tightest."""
    tightest = Offset(0, 1 << 62)
    for _ in range(readings):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if after - before < tightest.window_ns:
            tightest = Offset(wall - (before + after) // 2, after - before)
    return tightest


@dataclass(frozen=True)
class Anchor:
    """The offset before and after a traced run."""

    before: Offset
    after: Offset

    @property
    def step_ns(self) -> int:
        """By how much the distance of the clocks changed, beyond what the readings leave open; 0 for none."""
        change = self.after.offset_ns - self.before.offset_ns
        return change if abs(change) > STEP_NS + self.before.window_ns + self.after.window_ns else 0

    @property
    def offset_ns(self) -> int:
        """What is taken from a wall-clock time: the offset before the run, which a step in it cannot have changed."""
        return self.before.offset_ns
