"""Tracers of the system level on Linux: what the threads of the run did, and what they waited for.

``linux-switches`` records every switch by the kernel's perf events. Where those are not allowed, ``linux-schedstat``
reads the same sums from ``/proc``, without the times.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from functools import partial
from time import monotonic_ns

from mlharness import hookimpl
from mlharness.providers import TraceRequest
from mlharness.registrars import TracerRegistrar
from mlharness.trace.levels import SYSTEM
from mlharness.trace.linux.perf_events import SwitchRing, why_not
from mlharness.trace.linux.records import Records, parse_records
from mlharness.trace.linux.slices import BLOCKED, RUNNING, WAITING, Slice, Window, migrations, timelines
from mlharness.trace.linux.threads import TASKS, Schedstat, Use, list_threads, names_of, read_uses
from mlharness.trace.sampler import Sampler, own_threads
from mlharness.trace.spans import NO_PARENT, Spans

SWITCHES, SCHEDSTAT = "linux-switches", "linux-schedstat"
INTERVAL_S = 0.05
"""A ring has room for 8192 switches of a CPU in this time; a sum of schedstat is read as often."""
MOST_BYTES = 1 << 26
"""Two million switches are kept; those after them are counted."""
MOST_FOLLOWED = 512
"""Threads that were there before the model was loaded each need a descriptor on each CPU: no more than these."""
SWITCH_BYTES = 32

_READINGS = {
    "cpu_ns": ("cpu", "ns"),
    "run_queue_delay_ns": ("run_queue_delay", "ns"),
    "waits": ("waits", "switches"),
    "preemptions": ("preemptions", "switches"),
    "migrations": ("migrations", "count"),
    "minor_faults": ("minor_faults", "faults"),
    "major_faults": ("major_faults", "faults"),
}
"""What a counter of a thread is called as a reading, and its unit."""


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


class _Threads:
    """What the threads had used when the test began, and when it ended; ``ours`` are no part of the run."""

    def __init__(self) -> None:
        self.start = self.stop = 0
        self.before: dict[int, Use] = {}
        self.used: dict[int, Use] = {}
        self.names: dict[int, str] = {}
        self.ours: set[int] = set()

    def begin(self) -> None:
        """Right before the test."""
        self.before = read_uses()
        self.start = monotonic_ns()

    def note(self) -> None:
        """What the interpreter calls its threads, and which are the samplers': one may end before the test does."""
        self.ours |= own_threads()
        self.names.update({one.native_id: one.name for one in threading.enumerate() if one.native_id})

    def end(self) -> None:
        """Right after it."""
        self.stop = monotonic_ns()
        after = read_uses()
        self.names.update(names_of())
        self.ours |= own_threads()
        self.used = {
            thread: use.since(self.before.get(thread, Use()))
            for thread, use in after.items() if thread not in self.ours
        }  # fmt: skip

    def name(self, thread: int, records: Records | None = None) -> str:
        """What a thread is called; one that nobody named has its number."""
        told = records.names.get(thread, "") if records else ""
        return self.names.get(thread) or told or f"thread {thread}"


class SwitchTracer:
    """Every switch of every thread of this process, from the kernel's rings, one a CPU.

    The rings are opened before the model is loaded, since only threads that are started later are followed by
    themselves; they are filled during the test only.
    """

    def __init__(self, request: TraceRequest, sampler: Sampler) -> None:
        self._sampler = sampler
        self._threads = _Threads()
        self._rings: dict[int, SwitchRing] = {}
        self._parts: dict[int, list[bytes]] = {}
        self._bytes = self._refused = self._dropped = 0

    def start(self) -> None:
        """Open the rings. Raises OSError."""
        for cpu in sorted(os.sched_getaffinity(0)):
            self._rings[cpu] = SwitchRing(cpu)
            self._parts[cpu] = []
        others = [thread for thread in list_threads() if thread != os.getpid()]
        for thread in others[: MOST_FOLLOWED // len(self._rings)]:
            self._follow(thread)

    def begin(self) -> None:
        """Fill them from now on."""
        self._threads.begin()
        for ring in self._rings.values():
            ring.enable()
        self._sampler.add(self._drain)

    def end(self) -> None:
        """Fill them no more."""
        self._threads.note()
        try:
            self._sampler.remove(self._drain)
            for ring in self._rings.values():
                ring.disable()
            self._threads.end()
            self._drain(0)
        finally:
            for ring in self._rings.values():
                ring.close()

    def collect(self) -> Spans:
        """Each thread's slices, and its sums."""
        records = parse_records(b"".join(parts) for parts in self._parts.values())
        self._parts.clear()
        spans = Spans(SWITCHES)
        spans.dropped = records.lost + self._dropped
        if records.lost:
            spans.notes.append(f"{records.lost} switches were lost: some stretches of a thread may be too long")
        if self._dropped:
            spans.notes.append(f"after {MOST_BYTES // SWITCH_BYTES} switches no more were kept")
        if records.unreadable:
            spans.notes.append(f"{records.unreadable} bytes of the kernel's records could not be read")
        add_threads(spans, self._threads, records)
        return spans

    def _follow(self, thread: int) -> None:
        for ring in self._rings.values():
            try:
                ring.follow(thread)
            except OSError:  # it has ended, or descriptors ran out: its sums are told all the same
                return

    def _drain(self, now_ns: int) -> None:
        self._threads.note()
        for cpu, ring in self._rings.items():
            found = ring.drain()
            if self._bytes + len(found) > MOST_BYTES:
                self._dropped += len(found) // SWITCH_BYTES
            elif found:
                self._parts[cpu].append(found)
                self._bytes += len(found)


class SchedstatTracer:
    """CPU time and run-queue delay of every thread, from /proc."""

    def __init__(self, request: TraceRequest, sampler: Sampler) -> None:
        self._sampler = sampler
        self._threads = _Threads()
        self._files = Schedstat()
        self._spans = Spans(SCHEDSTAT)
        self._first: dict[int, tuple[int, int]] = {}

    def start(self) -> None:
        """Nothing to do yet."""

    def begin(self) -> None:
        """Read from now on."""
        self._threads.begin()
        self._first = self._files.read()
        self._sampler.add(self._read)

    def end(self) -> None:
        """Read no more."""
        self._threads.note()
        try:
            self._sampler.remove(self._read)
            self._threads.end()
            self._read(self._threads.stop)
        finally:
            self._files.close()

    def collect(self) -> Spans:
        """The sums over time, and those of the whole test."""
        self._spans.notes.append(
            "when threads ran is not known, since perf events are not allowed: only their sums are"
        )
        add_threads(self._spans, self._threads, None)
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


def add_threads(spans: Spans, known: _Threads, records: Records | None) -> None:
    """Add a span for each thread that says what it used in the test, its slices, and the same sums as readings."""
    lines = timelines(records, _window(known, records)) if records else {}
    for thread in sorted({*known.used, *lines} - known.ours):
        use, slices, name = known.used.get(thread, Use()), lines.get(thread, []), known.name(thread, records)
        start = slices[0].start if slices else known.start
        end = slices[-1].end if slices else known.stop
        about = {**use.known(), **_sums(slices)}
        spans.add(SYSTEM, name, start, end - start, kind="thread", thread=thread, parent=NO_PARENT,
                  attributes=json.dumps(about, separators=(",", ":")))  # fmt: skip
        for one in slices:
            where = f'{{"cpu":{one.cpu}}}' if one.cpu >= 0 else ""
            spans.add(SYSTEM, name, one.start, one.end - one.start, kind=one.kind, thread=thread, parent=NO_PARENT,
                      attributes=where)  # fmt: skip
        for counter, (reading, unit) in _READINGS.items():
            if counter in about and not (records is None and unit == "ns"):  # those were read all the time
                spans.read(f"thread{thread}.{reading}", unit, known.stop, about[counter])


def _window(known: _Threads, records: Records) -> Window:
    """A thread of which switches were counted, but none recorded, was not followed: nothing is said of its times."""
    recorded = {switch.thread for switch in records.switches}
    still = {thread for thread, use in known.used.items() if not (use.waits or 0) + (use.preemptions or 0)}
    length = max(1, known.stop - known.start)
    shares = {
        thread: (known.used.get(thread, Use()).cpu_ns or 0) / length
        for thread in known.before if thread in recorded or thread in still
    }  # fmt: skip
    return Window(known.start, known.stop, shares)


def _sums(slices: list[Slice]) -> Mapping[str, int]:
    """What the slices add up to. Counted from them, migrations and preemptions are those within the very test."""
    if not slices:
        return {}
    total = {kind: sum(one.end - one.start for one in slices if one.kind == kind)
             for kind in (RUNNING, WAITING, BLOCKED)}  # fmt: skip
    return {
        "running_ns": total[RUNNING], "preempted_ns": total[WAITING], "blocked_ns": total[BLOCKED],
        "preemptions": sum(one.kind == WAITING for one in slices), "migrations": migrations(slices),
    }  # fmt: skip


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
