"""What many calls leave behind: memory, open files, threads."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from mlharness.testing.verdict import require

CALLS = 1000
WARM_UP_CALLS = 50
ROUNDS = 3
"""A leak grows in every round; caches, and what other threads of the process do, do not."""


@dataclass(frozen=True)
class Limits:
    """The most bytes that one call may leave, allocated through Python and of the process."""

    python_bytes: int
    process_bytes: int


PER_CALL = Limits(32, 8192)
"""Less than any Python object takes that could be kept from a call. The process's memory comes and goes in pages and
arenas, so that a smaller leak outside Python cannot be told from noise."""

PER_LOAD = Limits(4096, 1 << 20)
"""Loading a model touches caches everywhere: a leak is what has the size of a model, a file or a thread."""


@dataclass(frozen=True)
class Footprint:
    """What a process holds: bytes allocated through Python (NumPy included), resident bytes, open files, threads.

    Threads are the system's, so that those of native code count."""

    python_bytes: int
    process_bytes: int
    files: int
    threads: int

    @staticmethod
    def now() -> Footprint:
        """This process's footprint after a garbage collection; needs tracemalloc to be on."""
        gc.collect()
        process = psutil.Process()
        return Footprint(
            tracemalloc.get_traced_memory()[0], process.memory_info().rss, process.num_fds(), process.num_threads()
        )

    def complaint(self, before: Footprint, calls: int, limits: Limits) -> str:
        """What grew too much since ``before``; empty when nothing did."""
        grown = [
            (self.python_bytes - before.python_bytes, limits.python_bytes * calls, "bytes allocated through Python"),
            (self.process_bytes - before.process_bytes, limits.process_bytes * calls, "bytes of the process"),
            (self.files - before.files, 0, "open files"),
            (self.threads - before.threads, 0, "threads"),
        ]
        return ", ".join(f"{growth} {what}" for growth, most, what in grown if growth > most)


def growth_over(call: Callable[[], Any], calls: int = CALLS, limits: Limits = PER_CALL) -> str:
    """What ``calls`` calls left behind, in words; empty when they left nothing.

    Up to :data:`ROUNDS` rounds are made, and one without growth is enough.
    """
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        return _worst_of_rounds(call, calls, limits)
    finally:
        if started:
            tracemalloc.stop()


def require_no_growth(
    what: str, asks: str, where: str, call: Callable[[], Any], calls: int = CALLS, limits: Limits = PER_CALL
) -> None:
    """Raise NonconformanceError when many calls leave something behind."""
    left = growth_over(call, calls, limits)
    require(not left, f"{calls} times {what} left behind: {left}.", asks, where)


def _worst_of_rounds(call: Callable[[], Any], calls: int, limits: Limits) -> str:
    for _ in range(min(calls, WARM_UP_CALLS)):
        call()
    complaint = ""
    for _ in range(ROUNDS):
        before = Footprint.now()
        for _ in range(calls):
            call()
        complaint = Footprint.now().complaint(before, calls, limits)
        if not complaint:
            return ""
    return complaint
