"""The threads of a test: what each used of the machine, and, where switches were recorded, when it did what."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from time import monotonic_ns

import numpy as np

from mlharness.trace.levels import SYSTEM
from mlharness.trace.linux.records import Records
from mlharness.trace.linux.slices import KINDS, WAITING, Slices, Window, lengths, migrations, timelines
from mlharness.trace.linux.threads import Use, list_threads, own_name, read_uses
from mlharness.trace.sampler import own_threads
from mlharness.trace.spans import NO_PARENT, Spans

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


class Watched:
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
        """What the threads are called, and which are the samplers': one may end before the test does."""
        self.ours |= own_threads()
        self.names.update({thread: own_name(thread) for thread in list_threads() if thread not in self.names})
        self.names.update({one.native_id: one.name for one in threading.enumerate() if one.native_id})

    def end(self) -> None:
        """Right after it."""
        self.stop = monotonic_ns()
        self.note()
        after = read_uses()
        self.ours |= own_threads()
        self.used = {
            thread: use.since(self.before.get(thread, Use()))
            for thread, use in after.items() if thread not in self.ours
        }  # fmt: skip

    def name(self, thread: int, records: Records | None = None) -> str:
        """What a thread is called; one that nobody named has its number."""
        told = records.names.get(thread, "") if records else ""
        return self.names.get(thread) or told or f"thread {thread}"

    def describe(self, spans: Spans, records: Records | None = None, until_ns: int | None = None) -> None:
        """Add a span for each thread that says what it used in the test, its slices, and the same sums as readings.

        The slices are told until ``until_ns`` where the records end before the test did.
        Without records the sums of times are left out of the readings: they were read all the time.
        """
        lines = timelines(records, self._window(records, until_ns)) if records else {}
        for thread in sorted({*self.used, *lines} - self.ours):
            slices, name = lines.get(thread), self.name(thread, records)
            about = {**self.used.get(thread, Use()).known(), **sums(slices)}
            start, end = bounds(slices) or (self.start, self.stop)
            spans.add(SYSTEM, name, start, end - start, kind="thread", thread=thread, parent=NO_PARENT,
                      attributes=json.dumps(about, separators=(",", ":")))  # fmt: skip
            if slices is not None:
                add_slices(spans, slices, name, thread)
            for counter, (reading, unit) in _READINGS.items():
                if counter in about and (records is not None or unit != "ns"):
                    spans.read(f"thread{thread}.{reading}", unit, self.stop, about[counter])

    def _window(self, records: Records, until_ns: int | None) -> Window:
        """A thread whose switches were counted, but not recorded, was not followed: nothing is said of its times."""
        recorded = set(np.unique(records.switches["thread"]).tolist())
        still = {thread for thread, use in self.used.items() if not (use.waits or 0) + (use.preemptions or 0)}
        length = max(1, self.stop - self.start)
        shares = {
            thread: (self.used.get(thread, Use()).cpu_ns or 0) / length
            for thread in self.before if thread in recorded or thread in still
        }  # fmt: skip
        return Window(self.start, min(self.stop, until_ns or self.stop), shares)


def add_slices(spans: Spans, slices: Slices, name: str, thread: int) -> None:
    """Add a thread's slices, those of one kind and one CPU together."""
    for kind, cpu in np.unique(slices[["kind", "cpu"]]).tolist():
        some = slices[(slices["kind"] == kind) & (slices["cpu"] == cpu)]
        where = f'{{"cpu":{cpu}}}' if cpu >= 0 else ""
        spans.extend(SYSTEM, name, some["start"], some["end"] - some["start"], kind=KINDS[kind], thread=thread,
                     parent=NO_PARENT, attributes=where)  # fmt: skip


def bounds(slices: Slices | None) -> tuple[int, int] | None:
    """Where the first begins and the last ends; None without any."""
    return (int(slices["start"][0]), int(slices["end"][-1])) if slices is not None and len(slices) else None


def sums(slices: Slices | None) -> Mapping[str, int]:
    """What the slices add up to. Counted from them, migrations and preemptions are those within the very test."""
    if slices is None:
        return {}
    return {
        **{f"{kind}_ns": total for kind, total in lengths(slices).items()},
        "preemptions": int(np.count_nonzero(slices["kind"] == WAITING)),
        "migrations": migrations(slices),
    }
