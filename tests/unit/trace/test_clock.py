"""One clock: the offset of the wall clock, and a step of it in the run."""

from __future__ import annotations

import time

import pytest

from mlharness.trace.clock import STEP_NS, Anchor, Offset, measure_offset


def test_the_offset_takes_wall_clock_times_to_the_monotonic_clock() -> None:
    offset = measure_offset()
    before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
    assert before - 1_000_000 <= wall - offset.offset_ns <= after + 1_000_000
    assert 0 <= offset.window_ns < 1_000_000


def test_the_tightest_reading_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = iter([0, 1_000, 2_000, 2_010, 3_000, 5_000])
    wall = iter([500_700, 502_005, 504_900])
    monkeypatch.setattr("mlharness.trace.clock.time.monotonic_ns", lambda: next(monotonic))
    monkeypatch.setattr("mlharness.trace.clock.time.time_ns", lambda: next(wall))
    assert measure_offset(3) == Offset(500_000, 10)


@pytest.mark.parametrize("step", [5_000, -5_000, 3_600_000_000_000, -3_600_000_000_000])
def test_a_clock_that_was_set_is_flagged(step: int) -> None:
    anchor = Anchor(Offset(1_000_000, 100), Offset(1_000_000 + step, 100))
    assert anchor.step_ns == step
    assert anchor.offset_ns == 1_000_000, "the offset before the run"


@pytest.mark.parametrize("change", [0, 5, -5, STEP_NS, -STEP_NS])
def test_a_clock_that_was_slewed_is_not(change: int) -> None:
    assert Anchor(Offset(1_000_000, 0), Offset(1_000_000 + change, 0)).step_ns == 0


def test_what_the_readings_leave_open_is_no_step() -> None:
    assert Anchor(Offset(0, 4_000), Offset(6_000, 2_000)).step_ns == 0
    assert Anchor(Offset(0, 4_000), Offset(7_001, 2_000)).step_ns == 7_001
