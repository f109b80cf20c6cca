"""Tracers of the hardware level: each reads one kind of thing up to ten times a second, or says why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns

from mlharness import hookimpl
from mlharness.gpu import gpu_missing
from mlharness.providers import TraceRequest
from mlharness.registrars import TracerRegistrar
from mlharness.telemetry import Host, usable_host
from mlharness.trace.hardware import host as hosts
from mlharness.trace.hardware.counters import Counters, no_counters
from mlharness.trace.hardware.energy import Energy, no_energy
from mlharness.trace.hardware.gpu import GpuProbe
from mlharness.trace.hardware.probe import Probe
from mlharness.trace.sampler import Sampler
from mlharness.trace.spans import Spans

INTERVAL_S = 0.1


@dataclass(frozen=True)
class Kind:
    """A tracer to be: how its probe is made, and why it cannot be (empty: it can)."""

    name: str
    doc: str
    make: Callable[[TraceRequest], Probe]
    missing: Callable[[TraceRequest], str]


def _of_host(name: str, doc: str, make: Callable[[Host], Probe], missing: Callable[[Host], str]) -> Kind:
    return Kind(name, doc, lambda request: make(usable_host()), lambda request: missing(usable_host()))


KINDS = (
    _of_host(
        "host-cpu",
        "What other processes and the hypervisor took of the usable cores, and major page faults.",
        lambda host: hosts.Shares(host, hosts.CPU),
        hosts.no_cpu,
    ),
    _of_host(
        "host-memory", "Resident memory, available memory, and swapping.", hosts.Memory, hosts.no_memory
    ),
    _of_host(
        "host-pressure", "The share of time in which tasks waited for CPU, memory or disk.", hosts.Pressure,
        hosts.no_pressure,
    ),
    _of_host(
        "cgroup-throttling",
        "The share of periods in which the control group had used up its CPU quota.",
        lambda host: hosts.Shares(host, hosts.THROTTLING),
        hosts.no_throttling,
    ),
    _of_host("cpu-clocks", "The clock of each usable core.", hosts.Clocks, hosts.no_clocks),
    _of_host("cpu-energy", "Energy and power of the processors (RAPL).", Energy, no_energy),
    Kind(
        "cpu-counters",
        "Cycles, instructions, cache and branch misses of the run's threads (perf events).",
        lambda request: Counters(),
        lambda request: no_counters(),
    ),
    Kind(
        "nvml",
        "Power, clocks, throttling, utilisation, memory, temperature and PCIe traffic of the GPU.",
        lambda request: GpuProbe(request.device),
        lambda request: gpu_missing(request.device),
    ),
)  # fmt: skip


class ProbeTracer:
    """Asks one probe, on the thread that all of them share."""

    def __init__(self, name: str, probe: Probe, sampler: Sampler) -> None:
        self._spans, self._probe, self._sampler = Spans(name), probe, sampler
        self._last_ns = 0

    def start(self) -> None:
        """Open what must be open before threads are started."""
        self._probe.start()

    def begin(self) -> None:
        """The first reading, and from now on one each interval."""
        self._read(monotonic_ns())
        self._sampler.add(self._read)

    def end(self) -> None:
        """The last reading. Raises what the probe raised meanwhile."""
        try:
            self._sampler.remove(self._read)
            if not self._spans.count_of_readings:
                self._last_ns = 0  # a test so short that this is all there is
            self._read(monotonic_ns())
        finally:
            self._probe.close()

    def collect(self) -> Spans:
        """All readings."""
        self._probe.close()  # also where no test came
        return self._spans

    def _read(self, now_ns: int) -> None:
        if now_ns - self._last_ns >= (self._probe.least_s - INTERVAL_S / 2) * 1e9:
            self._last_ns = now_ns
            self._probe.read(self._spans, now_ns)


@hookimpl
def mlh_register_tracers(registrar: TracerRegistrar) -> None:
    """Register them all; they share one thread."""
    sampler = Sampler(INTERVAL_S)
    for kind in KINDS:
        registrar.tracer(
            kind.name, level="hardware", open=_opener(kind, sampler), doc=kind.doc, unavailable=kind.missing
        )


def _opener(kind: Kind, sampler: Sampler) -> Callable[[TraceRequest], ProbeTracer]:
    return lambda request: ProbeTracer(kind.name, kind.make(request), sampler)
