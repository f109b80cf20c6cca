"""The host's own figures: how its cores, its memory and its control group did."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mlharness import memory, telemetry
from mlharness.telemetry import Host, Reading, Sample
from mlharness.trace.hardware.probe import Growth
from mlharness.trace.spans import Spans

Figures: TypeAlias = Iterator[tuple[str, str, "float | None"]]
"""Name, unit and value of each figure, None where the host does not tell."""


class _Opened:
    """A probe that has nothing to open.

    The kernel counts in ticks and in periods of 0.1 s, and a reading takes up to 0.8 ms: twice a second is enough.
    """

    least_s = telemetry.MIN_INTERVAL_S

    def __init__(self, host: Host) -> None:
        self.host = host

    def start(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Share:
    """Figures of what happened between two readings of :mod:`mlharness.telemetry`."""

    take: Callable[[Host, float], Reading]
    figures: Callable[[Sample], Figures]


def take_cpu(host: Host, at_s: float) -> Reading:
    """The counters of CPU time; the run's own processes are this one and its parent."""
    busy, steal = telemetry.cpu_seconds(host) or (None, None)
    own, faults = telemetry.own_use(host, (os.getpid(), os.getppid())) or (None, None)
    return Reading(at_s, busy_s=busy, steal_s=steal, own_s=own, major_faults=faults)


def take_throttling(host: Host, at_s: float) -> Reading:
    """The counters of the control group that was throttled most."""
    periods, throttled = telemetry.throttling(host) or (None, None)
    return Reading(at_s, periods=periods, throttled_periods=throttled)


def take_swap(host: Host, at_s: float) -> Reading:
    """The counter of swapped bytes."""
    return Reading(at_s, swapped_bytes=telemetry.swapped(host))


CPU = Share(
    take_cpu,
    lambda sample: iter([
        ("cpu.others", "%", _percent(sample.other_cpu)),
        ("cpu.steal", "%", _percent(sample.steal)),
        ("memory.major_faults", "1/s", sample.major_faults_s),
    ]),
)  # fmt: skip
"""Of the usable cores' time, what others took, and what the hypervisor did."""
THROTTLING = Share(take_throttling, lambda sample: iter([("cgroup.throttled", "%", _percent(sample.throttled))]))
SWAP = Share(take_swap, lambda sample: iter([("memory.swapped", "bytes/s", _bytes(sample.swap_mib_s))]))


class Shares(_Opened):
    """What a :class:`Share` tells."""

    def __init__(self, host: Host, share: Share) -> None:
        super().__init__(host)
        self._share = share
        self._last: Reading | None = None

    def read(self, spans: Spans, now_ns: int) -> None:
        """Add the figures since the last reading."""
        reading, last = self._share.take(self.host, now_ns / 1e9), self._last
        self._last = reading
        if last is None or reading.at_s <= last.at_s:
            return
        for name, unit, value in self._share.figures(telemetry.between("", last, reading, len(self.host.cores))):
            if value is not None:
                spans.read(name, unit, now_ns, value)


class Memory(_Opened):
    """The run's resident memory, what can still be had, and swapping."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._swap = Shares(host, SWAP)
        self._page = os.sysconf("SC_PAGE_SIZE")

    def read(self, spans: Spans, now_ns: int) -> None:
        """Add the figures."""
        pages = (self.host.proc / "self/statm").read_text().split()
        spans.read("memory.resident", "bytes", now_ns, int(pages[1]) * self._page)
        spans.read("memory.available", "bytes", now_ns, memory.free_memory())
        self._swap.read(spans, now_ns)


class Clocks(_Opened):
    """The clock of each usable core, as far as :data:`~mlharness.telemetry.CLOCKED_CORES`."""

    least_s = 0.1

    def read(self, spans: Spans, now_ns: int) -> None:
        """Add one figure a core, and the highest: idle cores are slowed down, so that theirs say little."""
        found = telemetry.clocks(self.host)
        for core, mhz in found.items():
            spans.read(f"core{core}.frequency", "MHz", now_ns, mhz)
        if found:
            spans.read("cpu.clock", "MHz", now_ns, max(found.values()))


class Pressure(_Opened):
    """The share of the time in which some task of the host, or all of them, waited for CPU, memory or disk."""

    KINDS = ("cpu", "memory", "io")

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._growth = Growth()

    def read(self, spans: Spans, now_ns: int) -> None:
        """Add two figures a kind; its file counts microseconds since the host started."""
        for kind in self.KINDS:
            for whom, total in pressure(self.host.proc / "pressure" / kind):
                grown = self._growth.since_last(f"{kind}.{whom}", now_ns, total)
                if grown is not None:
                    spans.read(f"pressure.{kind}.{whom}", "%", now_ns, min(100.0, grown[0] / grown[1] / 1e4))


def pressure(path: Path) -> Iterator[tuple[str, int]]:
    """``some`` and ``full``, each with its microseconds; nothing of a file that is not there."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        whom, _, rest = line.partition(" ")
        total = rest.rpartition("total=")[2]
        if total.isdigit():
            yield whom, int(total)


def no_cpu(host: Host) -> str:
    """Why the cores' figures are not there."""
    return "" if telemetry.cpu_seconds(host) else "the kernel does not tell the time of each core (/proc/stat)"


def no_throttling(host: Host) -> str:
    """Why a control group's throttling is not there."""
    return "" if telemetry.throttling(host) else "no control group of this process has a CPU quota"


def no_memory(host: Host) -> str:
    """Why the memory's figures are not there."""
    return "" if (host.proc / "self/statm").exists() else "the kernel does not tell the memory of a process (/proc)"


def no_clocks(host: Host) -> str:
    """Why the cores' clocks are not there."""
    return (
        "" if telemetry.clocks(host) else "the kernel tells no CPU clocks (cpufreq), as is usual in a virtual machine"
    )


def no_pressure(host: Host) -> str:
    """Why the pressure's figures are not there."""
    known = any(any(pressure(host.proc / "pressure" / kind)) for kind in Pressure.KINDS)
    return "" if known else "the kernel tells no pressure (PSI)"


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _bytes(mib: float | None) -> float | None:
    return None if mib is None else mib * 2**20
