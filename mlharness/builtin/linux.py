"""Tracers of the system level on Linux: what the threads of the run did, and what they waited for.

``linux-switches`` records every switch by the kernel's perf events. Where those are not allowed, ``linux-schedstat``
reads the same sums from ``/proc``, without the times.
"""

from __future__ import annotations

import os
from functools import partial
from time import monotonic_ns

from mlharness import hookimpl
from mlharness.providers import TraceRequest
from mlharness.registrars import TracerRegistrar
from mlharness.trace.linux.perf_events import SwitchRing, why_not
from mlharness.trace.linux.records import parse_records
from mlharness.trace.linux.threads import TASKS, Schedstat, list_threads
from mlharness.trace.linux.watched import Watched
from mlharness.trace.sampler import Sampler, own_threads
from mlharness.trace.spans import Spans

SWITCHES, SCHEDSTAT = "linux-switches", "linux-schedstat"
INTERVAL_S = 0.05
"""A ring has room for 8192 switches of a CPU in this time; a sum of schedstat is read as often."""
MOST_BYTES = 1 << 26
"""Two million switches are kept; those after them are counted."""
MOST_FOLLOWED = 512
"""Threads that were there before the model was loaded each need a descriptor on each CPU: no more than these."""
SWITCH_BYTES = 32


def no_switches(request: TraceRequest | None = None) -> str:
    """Why no switches can be recorded; empty when they can."""
    try:
        SwitchRing(min(os.sched_getaffinity(0))).close()
    except OSError as error:
        return why_not(error)
    return ""


def no_schedstat(request: TraceRequest | None = None) -> str:
    """Why the sums are not read: they need not be where switches are recorded."""
    if not no_switches():
        return f"not needed: {SWITCHES} tells more"
    return "" if TASKS.is_dir() else "this kernel has no /proc/self/task"


class SwitchTracer:
    """Every switch of every thread of this process, from the kernel's rings, one a CPU.

    The rings are opened before the model is loaded, since only threads that are started later are followed by
    themselves; they are filled during the test only.
    """

    def __init__(self, request: TraceRequest, sampler: Sampler) -> None:
        self._sampler = sampler
        self._threads = Watched()
        self._rings: dict[int, SwitchRing] = {}
        self._parts: dict[int, list[bytes]] = {}
        self._bytes = self._dropped = 0
        self._drained_ns = self._full_ns = 0
        self._spans: Spans | None = None

    def start(self) -> None:
        """Open the rings. Raises OSError."""
        try:
            for cpu in sorted(os.sched_getaffinity(0)):
                self._rings[cpu] = SwitchRing(cpu)
                self._parts[cpu] = []
        except OSError:
            self._close()
            raise
        others = [thread for thread in list_threads() if thread != os.getpid()]
        for thread in others[: MOST_FOLLOWED // len(self._rings)]:
            self._follow(thread)

    def begin(self) -> None:
        """Fill them from now on."""
        for ring in self._rings.values():
            ring.enable()
        self._drained_ns = monotonic_ns()
        self._sampler.add(self._drain)
        self._threads.begin()  # last: the time until here is not the test's

    def end(self) -> None:
        """Fill them no more."""
        try:
            self._threads.end()
            self._sampler.remove(self._drain)
            for ring in self._rings.values():
                ring.disable()
            self._drain(monotonic_ns())
        finally:
            self._close()

    def collect(self) -> Spans:
        """Each thread's slices, and its sums."""
        self._close()  # also where no test came
        if self._spans is None:
            self._spans = self._read_rings()
        return self._spans

    def _read_rings(self) -> Spans:
        records = parse_records(b"".join(parts) for parts in self._parts.values())
        self._parts.clear()
        spans = Spans(SWITCHES)
        spans.dropped = records.lost + self._dropped
        if records.lost:
            spans.notes.append(f"{records.lost} switches were lost: some stretches of a thread may be too long")
        if self._dropped:
            seconds = max(0, self._full_ns - self._threads.start) / 1e9
            spans.notes.append(f"after {MOST_BYTES // SWITCH_BYTES} switches ({seconds:.1f} s) none were kept")
        if records.unreadable:
            spans.notes.append(f"{records.unreadable} bytes of the kernel's records could not be read")
        self._threads.describe(spans, records, self._full_ns or None)
        return spans

    def _close(self) -> None:
        for ring in self._rings.values():
            ring.close()

    def _follow(self, thread: int) -> None:
        for ring in self._rings.values():
            try:
                ring.follow(thread)
            except OSError:  # it has ended, or descriptors ran out: its sums are told all the same
                return

    def _drain(self, now_ns: int) -> None:
        """Keep what the rings hold, of all CPUs or of none: half of a thread's switches would tell wrong times."""
        self._threads.note()
        found = {cpu: ring.drain() for cpu, ring in self._rings.items()}
        size = sum(map(len, found.values()))
        if self._full_ns or self._bytes + size > MOST_BYTES:
            self._full_ns = self._full_ns or self._drained_ns
            self._dropped += size // SWITCH_BYTES
            return
        for cpu, data in found.items():
            self._parts[cpu].append(data)
        self._bytes += size
        self._drained_ns = now_ns


class SchedstatTracer:
    """CPU time and run-queue delay of every thread, from /proc."""

    def __init__(self, request: TraceRequest, sampler: Sampler) -> None:
        self._sampler = sampler
        self._threads = Watched()
        self._files = Schedstat()
        self._spans = Spans(SCHEDSTAT)
        self._spans.notes.append(
            "when threads ran is not known, since perf events are not allowed: only their sums are"
        )
        self._first: dict[int, tuple[int, int]] = {}

    def start(self) -> None:
        """Nothing to do yet."""

    def begin(self) -> None:
        """Read from now on."""
        self._first = self._files.read()
        self._sampler.add(self._read)
        self._threads.begin()

    def end(self) -> None:
        """Read no more."""
        try:
            self._threads.end()
            self._sampler.remove(self._read)
            self._read(self._threads.stop)
            self._threads.describe(self._spans)
        finally:
            self._files.close()

    def collect(self) -> Spans:
        """The sums over time, and those of the whole test."""
        return self._spans

    def _read(self, now_ns: int) -> None:
        self._threads.note()
        read, ours = self._files.read(), own_threads()
        for thread, (cpu, delay) in read.items():
            if thread in ours:
                continue
            before = self._first.get(thread, (0, 0))
            self._spans.read(f"thread{thread}.cpu", "ns", now_ns, cpu - before[0])
            self._spans.read(f"thread{thread}.run_queue_delay", "ns", now_ns, delay - before[1])


@hookimpl
def mlh_register_tracers(registrar: TracerRegistrar) -> None:
    """Register both; one of them works."""
    sampler = Sampler(INTERVAL_S)
    registrar.tracer(
        SWITCHES,
        level="system",
        open=partial(SwitchTracer, sampler=sampler),
        doc="When each thread ran, was preempted or was blocked, from the kernel's perf events.",
        unavailable=no_switches,
    )
    registrar.tracer(
        SCHEDSTAT,
        level="system",
        open=partial(SchedstatTracer, sampler=sampler),
        doc="CPU time, run-queue delay, switches and page faults of each thread, from /proc.",
        unavailable=no_schedstat,
    )
