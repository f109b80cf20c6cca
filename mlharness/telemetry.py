"""Reads how this host is doing: small probes, each a few numbers, or None where the host does not tell.

A :class:`Reading` holds counters at one moment, a :class:`Sample` what happened between two. One reading opens five
small files of the kernel and one for each process of the run, plus one for each of at most :data:`CLOCKED_CORES` cores;
on a virtual machine with two cores, once a second, each took 0.6 ms to 1.1 ms of the parent's CPU time, which is 0.1 %
of a core (back to back 0.26 ms, the mean of 2000).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from mlharness.cores import cgroup_folders
from mlharness.gpu import Gpu

CLOCKED_CORES = 8
"""The kernel may interrupt a core to learn its clock, so only the first few are asked."""
MIN_INTERVAL_S = 0.5
"""The kernel counts CPU time in ticks of about 10 ms: over less time than this, shares are mostly rounding."""

T = TypeVar("T")


@dataclass(frozen=True)
class Host:
    """Where a host tells of itself, which of its cores count (numbers), and the GPU that is used."""

    cores: tuple[int, ...]
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    gpu: Gpu | None = None


@dataclass(frozen=True)
class Reading:
    """Counters at one moment; all but the clocks and ``gpu_foreign`` only ever grow.

    ``at_s`` is seconds from the run's start. CPU times are seconds summed over the cores that count; ``own_s`` and
    ``major_faults`` are those of the run's own processes, ``swapped_bytes`` the whole host's, in and out;
    ``completed`` the samples that the phase has got through, where somebody told.
    """

    at_s: float
    busy_s: float | None = None
    steal_s: float | None = None
    own_s: float | None = None
    major_faults: int | None = None
    periods: int | None = None
    throttled_periods: int | None = None
    swapped_bytes: int | None = None
    clock_mhz: float | None = None
    gpu_clock_mhz: float | None = None
    gpu_foreign: int | None = None
    completed: int | None = None


@dataclass(frozen=True)
class Sample:
    """What happened between two readings of one phase, ``start_s`` to ``end_s`` in seconds from the run's start.

    ``other_cpu`` is the share of the usable cores that other processes took, ``steal`` the hypervisor's share of the
    time that was wanted, ``throttled`` the share of the control group's periods that it was throttled in (0 to 1);
    ``clock_mhz`` the highest clock of a core, ``gpu_foreign`` other processes on the GPU, both at the end;
    ``samples_s`` how many samples a second the run got through, in ``measure`` those that it completed to LoadGen.
    """

    phase: str
    start_s: float
    end_s: float
    other_cpu: float | None = None
    steal: float | None = None
    throttled: float | None = None
    clock_mhz: float | None = None
    swap_mib_s: float | None = None
    major_faults_s: float | None = None
    gpu_clock_mhz: float | None = None
    gpu_foreign: int | None = None
    samples_s: float | None = None

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end_s - self.start_s


def usable_host(device: str = "cpu", gpu: Callable[[str], Gpu | None] = lambda device: None) -> Host:
    """This host as a run on a device sees it: the cores of the affinity mask, and the GPU that ``gpu`` opens."""
    return Host(tuple(sorted(os.sched_getaffinity(0))), gpu=gpu(device))


def read(host: Host, at_s: float, own: Collection[int]) -> Reading:
    """Everything now. ``own`` are the ids of the run's processes: the parent, the runner and what that started."""
    busy, steal = cpu_seconds(host) or (None, None)
    used, faults = own_use(host, own) or (None, None)
    periods, throttled = throttling(host) or (None, None)
    gpu = host.gpu.read(own) if host.gpu else None
    return Reading(
        at_s, busy, steal, used, faults, periods, throttled, swapped(host), clock(host),
        gpu.clock_mhz if gpu else None, gpu.foreign if gpu else None,
    )  # fmt: skip


def cpu_seconds(host: Host) -> tuple[float, float] | None:
    """Seconds in which the usable cores worked, for anybody, and which the hypervisor stole. Source: /proc/stat."""
    wanted = {f"cpu{number}" for number in host.cores}
    ticks = [line.split()[1:9] for line in _lines(host.proc / "stat") if line.split(" ", 1)[0] in wanted]
    if not ticks or any(len(row) < 8 for row in ticks):
        return None
    user, nice, system, _, _, irq, softirq, steal = (sum(map(int, column)) for column in zip(*ticks, strict=True))
    return (user + nice + system + irq + softirq) * _tick_s(), steal * _tick_s()


def own_use(host: Host, own: Collection[int]) -> tuple[float, int] | None:
    """CPU seconds and major page faults of these processes and of their children that have ended.

    A child's counters pass to its parent when it ends, so the sum does not fall as long as the oldest lives.
    """
    rows = [row for pid in own if (row := _process_stat(host.proc / str(pid) / "stat"))]
    if not rows:
        return None
    # Fields 12 to 17 of proc(5): majflt cmajflt utime stime cutime cstime; the list begins with field 3.
    return sum(sum(row[11:15]) for row in rows) * _tick_s(), sum(sum(row[9:11]) for row in rows)


def throttling(host: Host) -> tuple[int, int] | None:
    """CFS periods, and those in which this process's control group was throttled, of the group that had most."""
    counted = []
    for folder in cgroup_folders("cpu", host.sys / "fs/cgroup", host.proc / "self/cgroup"):
        pairs = dict(line.split() for line in _lines(folder / "cpu.stat"))
        if "nr_periods" in pairs:
            counted.append((int(pairs["nr_throttled"]), int(pairs["nr_periods"])))
    worst = max(counted, default=None)
    return worst and (worst[1], worst[0])


def swapped(host: Host) -> int | None:
    """Bytes that the host has swapped in and out since it started. Source: /proc/vmstat."""
    counts = [int(line.split()[1]) for line in _lines(host.proc / "vmstat") if line.startswith(("pswpin ", "pswpout "))]
    return sum(counts) * os.sysconf("SC_PAGE_SIZE") if counts else None


def clock(host: Host) -> float | None:
    """The highest clock of a usable core in MHz: that of a core that works, since idle ones are slowed down."""
    return max(clocks(host).values(), default=None)


def clocks(host: Host) -> dict[int, float]:
    """The clock in MHz of each of the first :data:`CLOCKED_CORES` usable cores; none without cpufreq."""
    paths = {core: host.sys / f"devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq" for core in host.cores}
    read = {core: "".join(_lines(paths[core])).strip() for core in host.cores[:CLOCKED_CORES]}
    return {core: int(text) / 1000 for core, text in read.items() if text.isdigit()}


def between(phase: str, first: Reading, last: Reading, cores: int) -> Sample:
    """What happened between two readings. Raises ZeroDivisionError when they are of one moment."""
    seconds = last.at_s - first.at_s
    busy, steal = _grown(first.busy_s, last.busy_s), _grown(first.steal_s, last.steal_s)
    own, faults = _grown(first.own_s, last.own_s), _grown(first.major_faults, last.major_faults)
    periods = _grown(first.periods, last.periods)
    throttled = _grown(first.throttled_periods, last.throttled_periods)
    swap = _grown(first.swapped_bytes, last.swapped_bytes)
    completed = _grown(first.completed, last.completed)
    return Sample(
        phase=phase,
        start_s=first.at_s,
        end_s=last.at_s,
        other_cpu=None if busy is None or own is None else min(1.0, max(0.0, busy - own) / (seconds * cores)),
        steal=None if busy is None or steal is None else steal / (busy + steal or 1.0),
        throttled=None if throttled is None or periods is None else throttled / (periods or 1),
        clock_mhz=last.clock_mhz,
        swap_mib_s=None if swap is None else swap / 2**20 / seconds,
        major_faults_s=None if faults is None else faults / seconds,
        gpu_clock_mhz=last.gpu_clock_mhz,
        gpu_foreign=last.gpu_foreign,
        samples_s=None if completed is None else completed / seconds,
    )


def make_samples(phase: str, readings: Sequence[Reading], cores: int) -> list[Sample]:
    """The samples of one phase from its readings, each at least :data:`MIN_INTERVAL_S` long if the phase was."""
    kept: list[Reading] = []
    for reading in readings:
        if kept and reading.at_s - kept[-1].at_s < MIN_INTERVAL_S:
            if reading is not readings[-1]:
                continue
            if len(kept) > 1:
                kept.pop()  # the end counts: it joins the sample before it
        if not kept or reading.at_s > kept[-1].at_s:
            kept.append(reading)
    return [between(phase, first, last, cores) for first, last in pairwise(kept)]


def write_csv(path: Path, samples: Iterable[Sample]) -> None:
    """One row a sample, under the fields' names; empty where the host did not tell. Raises OSError."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([field.name for field in fields(Sample)])
            writer.writerows([_rounded(value) for value in astuple(sample)] for sample in samples)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_csv(path: Path) -> list[Sample]:
    """What :func:`write_csv` wrote; nothing when there is no such file. Raises ValueError for a damaged one."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    try:
        return [Sample(**{name: _read(name, value) for name, value in row.items()}) for row in rows]
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path.name} has other columns") from error


def _read(name: str, value: str) -> Any:
    if name == "phase":
        return value
    return float(value) if value else None


def _rounded(value: T) -> T | float:
    return round(value, 6) if isinstance(value, float) else value


def _grown(first: float | None, last: float | None) -> float | None:
    """The growth of a counter; None for one that fell, as when a process ended and nobody waited for it."""
    return None if first is None or last is None or last < first else last - first


def _process_stat(path: Path) -> list[int]:
    """The fields of a process from the third on, numbers (its state as 0); empty when it is gone."""
    text = "".join(_lines(path))
    words = text[text.rfind(")") + 1 :].split()  # the name may hold anything, brackets too
    return [0, *map(int, words[1:])] if words else []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _tick_s() -> float:
    return 1 / os.sysconf("SC_CLK_TCK")
