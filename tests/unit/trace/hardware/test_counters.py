"""The processor's counters: software events stand in for them, which every kernel has."""

from __future__ import annotations

import errno

import pytest

from mlharness.trace.hardware import counters
from mlharness.trace.hardware.counters import EVENTS, Counters, no_counters
from mlharness.trace.linux.perf_events import SOFTWARE, Count
from mlharness.trace.spans import Spans
from tests.unit.trace.linux.test_perf_events import needs_events

TASK_CLOCK = 1


@needs_events
def test_counts_are_those_since_the_first_reading() -> None:
    probe, spans = Counters({"task_clock": (SOFTWARE, TASK_CLOCK)}), Spans("cpu-counters")
    probe.start()
    sum(range(300_000))
    probe.read(spans, 1)
    assert spans.count_of_readings == 0
    for now in (2, 3):
        sum(range(300_000))
        probe.read(spans, now)
    probe.close()
    names, values = {reading[1] for reading in spans.readings()}, [reading[4] for reading in spans.readings()]
    assert names == {"task_clock"}
    assert 0 < values[0] < values[1]


class FakeCounter:
    """Stands for one event; some are not there."""

    def __init__(self, kind: int, config: int) -> None:
        if config != EVENTS["cycles"][1]:
            raise OSError(errno.ENOENT, "no such event")

    def enable(self) -> None:
        """Nothing to do."""

    def read(self) -> Count:
        """Half the time it did not count."""
        return Count(1000.0, True)

    def close(self) -> None:
        """Nothing to do."""


def test_what_the_processor_lacks_is_left_out_and_what_is_scaled_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "Counter", FakeCounter)
    probe, spans = Counters(), Spans("cpu-counters")
    probe.start()
    for now in (1, 2, 3):
        probe.read(spans, now)
    probe.close()
    assert [reading[1:] for reading in spans.readings()] == [
        ("cycles", "count", 2, 1000.0), ("cycles", "count", 3, 1000.0),
    ]  # fmt: skip
    assert spans.notes == [
        "this processor has no counter of instructions, cache_references, cache_misses, branches, branch_misses",
        "cycles shared the processor's counters with others: its counts are scaled up",
    ]


def test_a_processor_without_counters_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    events = {"instructions": EVENTS["instructions"]}
    monkeypatch.setattr(counters, "Counter", FakeCounter)
    assert no_counters(events).startswith("no performance counters ")
    with pytest.raises(OSError, match="no such event"):
        Counters(events).start()
