"""What a tracer records in a small test of two predictors, each on a thread of its own, as the runner has them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic_ns
from typing import Any

from mlharness.providers import Tracer
from mlharness.trace.clock import Anchor, measure_offset
from mlharness.trace.levels import MODEL
from mlharness.trace.spans import Spans, SpanTable, concatenate

PREDICTORS = 2


@dataclass(frozen=True)
class Recording:
    """Spans and calls on the clocks that ``anchor`` holds together; the test ran from ``begun`` to ``ended``."""

    spans: Sequence[Spans]
    calls: Spans
    anchor: Anchor
    begun: int
    ended: int

    def table(self) -> SpanTable:
        """All that the tracer found, on the monotonic clock."""
        return concatenate([part.table(self.anchor) for part in self.spans])

    def with_calls(self) -> SpanTable:
        """The calls of the model, and then all that the tracer found."""
        return concatenate([self.calls.table(self.anchor), *(part.table(self.anchor) for part in self.spans)])


def record(tracer: Tracer, make_work: Callable[[Tracer], Any], calls: int) -> Recording:
    """Let a tracer watch.

    Args:
        tracer: opened.
        make_work: called on each thread; gives what has ``run()`` and ``close()``, or only is called.
        calls: how often each thread runs.
    """
    before = measure_offset()
    made = Spans("calls")
    with _threads() as threads:
        tracer.start()
        works = [thread.submit(make_work, tracer).result() for thread in threads]
        for thread, work in zip(threads, works, strict=True):
            thread.submit(work.run).result()  # a call before the test, as of a warm-up
        tracer.begin()
        begun = monotonic_ns()
        done = [thread.submit(_calls, work.run, calls) for thread, work in zip(threads, works, strict=True)]
        for thread_id, start, end in (call for future in done for call in future.result()):
            made.add(MODEL, "predict", start, end - start, kind="predict", thread=thread_id)
        ended = monotonic_ns()
        tracer.end()
        closed = [thread.submit(work.close).result() for thread, work in zip(threads, works, strict=True)]
    spans = [*(part for parts in closed for part in parts), *collected(tracer)]
    return Recording(spans, made, Anchor(before, measure_offset()), begun, ended)


def collected(tracer: Tracer) -> list[Spans]:
    """What a tracer gives at the end, as a list."""
    found = tracer.collect()
    return [found] if isinstance(found, Spans) else list(found or ())


def _calls(run: Callable[[], Any], calls: int) -> list[tuple[int, int, int]]:
    """Thread, start and end of each call."""
    found = []
    for _ in range(calls):
        start = monotonic_ns()
        run()
        found.append((threading.get_native_id(), start, monotonic_ns()))
    return found


@contextmanager
def _threads() -> Iterator[list[ThreadPoolExecutor]]:
    threads = [ThreadPoolExecutor(1, f"instance-{number}") for number in range(PREDICTORS)]
    try:
        yield threads
    finally:
        for thread in threads:
            thread.shutdown()
