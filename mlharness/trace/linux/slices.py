"""From switches to the time that each thread ran, was preempted, or was blocked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlharness.trace.linux.records import IN, Records

KINDS = ("running", "preempted", "blocked")
"""What a thread did: it ran on a CPU; it was taken off while it could have run; it waited for something to happen.

A thread that was woken and found its CPU taken still counts as blocked: switches do not tell when it was woken. The
kernel's run-queue delay does, as a sum.
"""
RUNNING, WAITING, BLOCKED = range(len(KINDS))
_AFTER = np.array([RUNNING, BLOCKED, WAITING])
"""What a thread does after each kind of switch."""

SLICE = np.dtype([("kind", np.int64), ("start", np.int64), ("end", np.int64), ("cpu", np.int64)])
"""One stretch of a thread's time, in nanoseconds; ``cpu`` is -1 where it ran on none, or it is not known on which."""
Slices = npt.NDArray[Any]


@dataclass(frozen=True)
class Window:
    """When the switches were recorded, in nanoseconds, and which threads there were before (and how busy: 0 to 1)."""

    start: int
    end: int
    before: Mapping[int, float]


def timelines(records: Records, window: Window) -> dict[int, Slices]:
    """Every thread's slices, :data:`SLICE` [n], one after the other; where records were lost there may be a gap."""
    switches = records.switches
    switches = switches[(switches["time"] >= window.start) & (switches["time"] <= window.end)]
    found = {}
    for thread in sorted({*np.unique(switches["thread"]).tolist(), *window.before}):
        first, last = np.searchsorted(switches["thread"], [thread, thread + 1])
        begin = window.start if thread in window.before else records.born.get(thread)
        end = min(window.end, records.ended.get(thread, window.end))
        if first < last:
            found[thread] = _timeline(switches[first:last], begin, end)
        else:
            found[thread] = _still(window, thread, end)
    return found


def _timeline(switches: npt.NDArray[Any], begin: int | None, end: int) -> Slices:
    """``begin`` is when the thread is known to have been there; None for one that was made, nobody saw when."""
    times, came = switches["time"], switches["what"] == IN
    slices = np.empty(len(times) + 1, SLICE)
    slices["kind"] = np.concatenate(([BLOCKED if came[0] else RUNNING], _AFTER[switches["what"]]))
    slices["start"] = np.concatenate(([times[0] if begin is None else begin], times))
    slices["end"] = np.concatenate((times, [max(times[-1], end)]))
    ran = slices["kind"] == RUNNING
    slices["cpu"] = np.where(ran, np.concatenate((switches["cpu"][:1], switches["cpu"])), -1)
    fits = np.append(came != ran[:-1], True)  # else the switch between the two was lost
    return slices[fits & (slices["end"] > slices["start"])]


def _still(window: Window, thread: int, end: int) -> Slices:
    """A thread without a switch ran all the time, or not at all."""
    kind = RUNNING if window.before[thread] > 0.5 else BLOCKED
    return np.array([(kind, window.start, end, -1)] if end > window.start else [], SLICE)


def lengths(slices: Slices) -> dict[str, int]:
    """How many nanoseconds the slices of each kind last."""
    found = np.bincount(slices["kind"], slices["end"] - slices["start"], len(KINDS))
    return {name: int(total) for name, total in zip(KINDS, found, strict=True)}


def migrations(slices: Slices) -> int:
    """How often a thread ran on another CPU than before."""
    cpus = slices["cpu"][slices["cpu"] >= 0]
    return int(np.count_nonzero(cpus[1:] != cpus[:-1]))
