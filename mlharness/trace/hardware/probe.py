"""What a probe of the hardware is, and the growth of counters from one reading to the next."""

from __future__ import annotations

from typing import Protocol

from mlharness.trace.spans import Spans


class Probe(Protocol):
    """Reads one kind of thing. ``start`` is called before the model is loaded, ``read`` about ten times a second."""

    least_s: float
    """Seconds between two readings at least: closer to each other they say too little, or cost too much."""

    def start(self) -> None:
        """Open what must be open before threads are started."""
        ...

    def read(self, spans: Spans, now_ns: int) -> None:
        """Add the readings of this moment (CLOCK_MONOTONIC); the first call, right before the test, is the base."""
        ...

    def close(self) -> None:
        """Let go of what was opened."""
        ...


class Growth:
    """By how much counters grew; one that fell has wrapped around, or was reset: None."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, float]] = {}

    def since_last(self, name: str, now_ns: int, value: float, wraps_at: float = 0.0) -> tuple[float, float] | None:
        """How much, and in how many seconds; None for the first reading.

        Args:
            name: the counter's.
            now_ns: when it was read.
            value: what it read.
            wraps_at: the largest value, after which it begins again at 0; 0 where it does not.
        """
        before = self._last.get(name)
        self._last[name] = now_ns, value
        if before is None or now_ns <= before[0]:
            return None
        grown = value - before[1]
        if grown < 0:
            grown += wraps_at
        return (grown, (now_ns - before[0]) / 1e9) if grown >= 0 else None
