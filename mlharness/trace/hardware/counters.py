"""The processor's own counters of the run's threads, by perf events: what was counted since the test began."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mlharness.trace.linux.perf_events import HARDWARE, Counter, why_not
from mlharness.trace.spans import Spans

EVENTS: Mapping[str, tuple[int, int]] = MappingProxyType({
    "cycles": (HARDWARE, 0),
    "instructions": (HARDWARE, 1),
    "cache_references": (HARDWARE, 2),
    "cache_misses": (HARDWARE, 3),
    "branches": (HARDWARE, 4),
    "branch_misses": (HARDWARE, 5),
})  # fmt: skip
"""Type and number of each event, see perf_event_open(2)."""


class Counters:
    """Counts what the main thread does, and all threads that are started after :meth:`start`."""

    least_s = 0.0

    def __init__(self, events: Mapping[str, tuple[int, int]] = EVENTS) -> None:
        self._events = events
        self._open: dict[str, Counter] = {}
        self._lacking: list[str] = []
        self._enabled = False

    def start(self) -> None:
        """Open those that the processor has. Raises OSError when it has none."""
        refused: OSError | None = None
        for name, (kind, config) in self._events.items():
            try:
                self._open[name] = Counter(kind, config)
            except OSError as error:
                refused = error
        if refused is not None and not self._open:
            raise refused
        self._lacking = [name for name in self._events if name not in self._open]

    def read(self, spans: Spans, now_ns: int) -> None:
        """Add the counts; the first call lets them begin."""
        if not self._enabled:
            for counter in self._open.values():
                counter.enable()
            self._enabled = True
            if self._lacking:
                spans.notes.append(f"this processor has no counter of {', '.join(self._lacking)}")
            return
        for name, counter in self._open.items():
            count = counter.read()
            spans.read(name, "count", now_ns, count.value)
            if count.scaled:
                note = f"{name} shared the processor's counters with others: its counts are scaled up"
                spans.notes += [note] if note not in spans.notes else []

    def close(self) -> None:
        """Close them."""
        while self._open:
            self._open.popitem()[1].close()


def no_counters(events: Mapping[str, tuple[int, int]] = EVENTS) -> str:
    """Why there are no counters."""
    kind, config = next(iter(events.values()))
    try:
        Counter(kind, config).close()
    except OSError as error:
        return why_not(error)
    return ""
