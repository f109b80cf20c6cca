"""From switches to the time that each thread ran, was preempted, or was blocked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from mlharness.trace.linux.records import IN, PREEMPTED, Records, Switch

RUNNING, WAITING, BLOCKED = "running", "preempted", "blocked"
"""What a thread did: it ran on a CPU; it was taken off while it could have run; it waited for something to happen.

A thread that was woken and found its CPU taken still counts as blocked: switches do not tell when it was woken. The
kernel's run-queue delay does, as a sum.
"""


class Slice(NamedTuple):
    """One stretch of a thread's time, in nanoseconds; ``cpu`` is -1 where it ran on none."""

    kind: str
    start: int
    end: int
    cpu: int


@dataclass(frozen=True)
class Window:
    """When the switches were recorded, in nanoseconds, and which threads there were before (and how busy: 0 to 1)."""

    start: int
    end: int
    before: Mapping[int, float]


def timelines(records: Records, window: Window) -> dict[int, list[Slice]]:
    """Every thread's slices, one after the other; a stretch of which records were lost is left out."""
    switches: dict[int, list[Switch]] = {}
    for switch in records.switches:
        switches.setdefault(switch.thread, []).append(switch)
    found = {}
    for thread in sorted({*switches, *window.before}):
        begin = window.start if thread in window.before else records.born.get(thread)
        end = min(window.end, records.ended.get(thread, window.end))
        mine = [switch for switch in switches.get(thread, ()) if window.start <= switch.time <= window.end]
        slices = list(_timeline(mine, begin, end)) if mine else list(_still(window, thread, end))
        found[thread] = [one for one in slices if one.end > one.start]
    return found


def _timeline(switches: Sequence[Switch], begin: int | None, end: int) -> Iterator[Slice]:
    """``begin`` is when the thread is known to have been there; None for one that was made, nobody saw when."""
    first = switches[0]
    since, state, cpu = first.time if begin is None else begin, _state_before(first), first.cpu
    for switch in switches:
        came, ran = switch.what == IN, state == RUNNING
        if came != ran:  # else the switch between the two was lost
            yield Slice(state, since, switch.time, cpu if ran else -1)
        since, state, cpu = switch.time, _state_after(switch), switch.cpu
    yield Slice(state, since, max(since, end), cpu if state == RUNNING else -1)


def _still(window: Window, thread: int, end: int) -> Iterator[Slice]:
    """A thread without a switch ran all the time, or not at all."""
    if thread in window.before:
        yield Slice(RUNNING if window.before[thread] > 0.5 else BLOCKED, window.start, end, -1)


def _state_before(switch: Switch) -> str:
    return BLOCKED if switch.what == IN else RUNNING


def _state_after(switch: Switch) -> str:
    return RUNNING if switch.what == IN else WAITING if switch.what == PREEMPTED else BLOCKED


def migrations(slices: Sequence[Slice]) -> int:
    """How often a thread ran on another CPU than before."""
    cpus = [one.cpu for one in slices if one.cpu >= 0]
    return sum(before != after for before, after in pairwise(cpus))
