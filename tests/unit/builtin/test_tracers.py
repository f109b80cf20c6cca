"""The built-in tracers hold to what every tracer must; those that this machine has no source for are skipped."""

from __future__ import annotations

from mlharness.testing import TracerConformance


class TestSwitches(TracerConformance):
    """Perf's switches of threads."""

    tracer = "linux-switches"


class TestSchedstat(TracerConformance):
    """The sums of threads, where there are no switches."""

    tracer = "linux-schedstat"


class TestHostCpu(TracerConformance):
    """What others took of the cores."""

    tracer = "host-cpu"


class TestHostMemory(TracerConformance):
    """Memory and swapping."""

    tracer = "host-memory"


class TestHostPressure(TracerConformance):
    """Waits for CPU, memory and disk."""

    tracer = "host-pressure"


class TestThrottling(TracerConformance):
    """A control group's quota."""

    tracer = "cgroup-throttling"


class TestClocks(TracerConformance):
    """The cores' clocks."""

    tracer = "cpu-clocks"


class TestEnergy(TracerConformance):
    """RAPL."""

    tracer = "cpu-energy"


class TestCounters(TracerConformance):
    """The processor's counters."""

    tracer = "cpu-counters"


class TestNvml(TracerConformance):
    """A GPU."""

    tracer = "nvml"
