"""Workers that wait for each other's Python: one interpreter runs one thread at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlharness.explaining.calls import Calls
from mlharness.explaining.evidence import Evidence
from mlharness.explaining.rules.rule import Fact, Finding, Gain, Rule, Unsaid, duration, percent, speed_of
from mlharness.explaining.slices import BLOCKED, PREEMPTED, RUNNING, Line, Slices, line_of
from mlharness.explaining.threads import Thread

Mask = npt.NDArray[np.bool_]

WORTH = 0.05
TAIL_NS = 200_000
"""A call of the model that ends waits for the interpreter last of all: so near its end the thread wakes."""


@dataclass(frozen=True)
class Waits:
    """Sums over all batches, nanoseconds: waiting for the interpreter, running Python, and the batches' whole time.

    The whole is without the waits for a core: on a busy machine they would hide the others, and are another rule's.
    """

    waiting: float
    python: float
    whole: float


def judge(evidence: Evidence) -> Finding | Unsaid | None:
    """Workers are blocked where they run Python, or come back from the model, while others run Python."""
    calls = evidence.watched
    if calls is None or calls.workers < 2:
        return None
    if not evidence.slices:
        return Unsaid("the system level knows sums, but not when threads ran")
    waits = waits_of(calls, evidence.slices, evidence.threads)
    share = waits.waiting / waits.whole if waits.whole > 0 else 0.0
    if share < WORTH:
        return None
    occupied = min(1.0, waits.python / calls.window_ns)
    each = waits.waiting / len(calls)
    own = (waits.whole - waits.waiting) / len(calls)
    limit = min(1.0, evidence.setup.cores / calls.workers)
    factor = max(1.0, limit * waits.whole / (waits.whole - waits.waiting))
    return Finding(
        f"Workers wait for the interpreter for {duration(each)} a batch, {percent(share)} of its time without waits "
        f"for a core: some worker runs Python {percent(occupied)} of the time, and only one can.",
        (Fact("share of a batch's time waiting for the interpreter", share, "share"),
         Fact("mean wait of a batch", each, "ns"),
         Fact("share of time in which some worker runs Python", occupied, "share"),
         Fact("workers", float(calls.workers))),
        "A postprocessing step that releases the interpreter or takes a whole batch (NumPy, a plugin's step) in the "
        f"place of Python for each sample; else --instances 1 --threads {evidence.setup.cores}.",
        waits.waiting / float(calls.whole_ns.sum()),
        Gain(speed_of(evidence), factor,
             f"a batch takes {duration(own)} without the wait, on {min(calls.workers, evidence.setup.cores)} workers "
             "at once"),
    )  # fmt: skip


def waits_of(calls: Calls, slices: Slices, threads: tuple[Thread, ...]) -> Waits:
    """The sums. A worker waits for the interpreter that is blocked while another one is in Python and is not.

    It is then in Python itself, or at the end of a call of the model. What the kernel counts as a delay beyond
    preemption is the wait for a core after waking, and is taken off.
    """
    workers = np.unique(calls.thread).tolist()
    python = {worker: _python(calls, calls.thread == worker) for worker in workers}
    holding = {worker: python[worker].without(slices.of(worker, BLOCKED)) for worker in workers}
    waiting = running = 0
    for worker in workers:
        others = line_of([pair for other in workers if other != worker for pair in holding[other].pairs])
        here = slices.of(worker, BLOCKED).both(python[worker])
        waiting += line_of([*here.pairs, *_tails(calls, slices, worker)]).both(others).total
        running += slices.of(worker, RUNNING).both(python[worker]).total
    preempted = float(slices.sums(PREEMPTED, calls.thread, calls.start, calls.end).sum())
    waking = min(float(waiting), _wake_delays(calls, slices, threads))
    return Waits(waiting - waking, running, float(calls.whole_ns.sum()) - preempted - waking)


def _python(calls: Calls, mine: Mask) -> Line:
    """When a worker was in Python: before and after each call of the model."""
    starts = np.concatenate((calls.start[mine], calls.predicted[mine])).tolist()
    ends = np.concatenate((calls.predict[mine], calls.end[mine])).tolist()
    return line_of(list(zip(starts, ends, strict=True)))


def _tails(calls: Calls, slices: Slices, thread: int) -> list[tuple[int, int]]:
    """Of one worker: the last wait of each call of the model that ended right before the call did."""
    mine, line = calls.thread == thread, slices.of(thread, BLOCKED)
    if not len(line.starts):
        return []
    predict, predicted = calls.predict[mine], calls.predicted[mine]
    last = np.searchsorted(line.ends, predicted, side="right") - 1
    starts, ends = line.starts[np.maximum(last, 0)], line.ends[np.maximum(last, 0)]
    found = (last >= 0) & (predicted - ends < TAIL_NS) & (starts >= predict)
    return list(zip(starts[found].tolist(), ends[found].tolist(), strict=True))


def _wake_delays(calls: Calls, slices: Slices, threads: tuple[Thread, ...]) -> float:
    delays = {thread.id: thread.delay_ns or 0 for thread in threads}
    total = 0.0
    for thread in np.unique(calls.thread).tolist():
        line = slices.of(thread, PREEMPTED)
        total += max(0.0, delays.get(thread, 0) - float((line.ends - line.starts).sum()))
    return total


RULE = Rule(
    "interpreter",
    "workers wait for the interpreter for 5 % of a batch's time or more",
    ("application", "model", "system"),
    judge,
)
