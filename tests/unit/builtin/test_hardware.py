"""The tracers of the hardware level: each has readings or a reason, and fails alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mlharness.builtin.hardware import INTERVAL_S, KINDS, ProbeTracer, mlh_register_tracers
from mlharness.providers import TraceRequest
from mlharness.registrars import Catalog, TracerRegistrar
from mlharness.trace.sampler import Sampler
from mlharness.trace.spans import Spans

REQUEST = TraceRequest(("hardware",), Path("unused"), "null", "cpu", {}, 1, 1)


class CountingProbe:
    """Counts how often it was read; raises when it was told to."""

    def __init__(self, least_s: float = 0.0, fails_at: int = 0) -> None:
        self.least_s, self.fails_at = least_s, fails_at
        self.started = self.closed = False
        self.silent_reads = 0
        self.reads, self.read_often = 0, threading.Event()

    def start(self) -> None:
        """Note it."""
        self.started = True

    def read(self, spans: Spans, now_ns: int) -> None:
        """One more."""
        self.reads += 1
        if self.reads >= 3:
            self.read_often.set()
        if self.reads == self.fails_at:
            raise ValueError("nonsense")
        if self.reads > self.silent_reads:
            spans.read("count", "", now_ns, self.reads)

    def close(self) -> None:
        """Note it."""
        self.closed = True


def test_every_source_has_readings_or_a_reason() -> None:
    for kind in KINDS:
        reason = kind.missing(REQUEST)
        assert reason == "" or (reason[0].islower() or reason.startswith(("NVML", "RAPL"))), reason
        assert not reason.endswith(".")
        if reason:
            continue
        tracer = ProbeTracer(kind.name, kind.make(REQUEST), Sampler(0.01))
        tracer.start()
        tracer.begin()
        tracer.end()
        spans = tracer.collect()
        assert spans.source == kind.name
        assert spans.count_of_readings > 0, kind.name
        assert all(unit for _, _, unit, _, _ in spans.readings())


def test_they_are_registered_for_the_hardware_level() -> None:
    catalog = Catalog()
    mlh_register_tracers(TracerRegistrar(catalog, "builtin-hardware"))
    assert [(entry.name, entry.provider.level) for entry in catalog.tracers] == [
        (kind.name, "hardware") for kind in KINDS
    ]


def test_a_probe_is_read_before_meanwhile_and_after_and_then_closed() -> None:
    probe = CountingProbe()
    tracer = ProbeTracer("counting", probe, Sampler(0.001))
    tracer.start()
    assert probe.started
    tracer.begin()
    assert probe.read_often.wait(10)
    tracer.end()
    assert probe.closed
    assert tracer.collect().count_of_readings == probe.reads >= 4


def test_a_probe_is_not_read_too_often() -> None:
    probe = CountingProbe(least_s=5 * INTERVAL_S)
    tracer = ProbeTracer("counting", probe, Sampler(0.001))
    for tick in range(1, 21):
        tracer._read(int(tick * INTERVAL_S * 1e9))
    assert probe.reads == 4


def test_a_probe_that_fails_is_closed_and_tells_its_failure() -> None:
    probe = CountingProbe(fails_at=3)
    tracer = ProbeTracer("counting", probe, Sampler(0.001))
    tracer.start()
    tracer.begin()
    assert probe.read_often.wait(10)
    with pytest.raises(ValueError, match="nonsense"):
        tracer.end()
    assert probe.closed


def test_a_test_that_never_came_closes_the_probe() -> None:
    probe = CountingProbe()
    tracer = ProbeTracer("counting", probe, Sampler(1))
    tracer.start()
    assert tracer.collect().count_of_readings == 0
    assert probe.closed


def test_a_test_too_short_for_a_second_reading_has_one_all_the_same() -> None:
    probe = CountingProbe(least_s=1000.0)
    probe.silent_reads = 1
    tracer = ProbeTracer("counting", probe, Sampler(1))
    tracer.start()
    tracer.begin()
    tracer.end()
    assert tracer.collect().count_of_readings == 1
