"""Calibration: the very executor answers a few queries to nobody, to learn what LoadGen must be told to expect."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter_ns

from mlharness.runner.executors import Executor
from mlharness.runner.job import Calibration
from mlharness.runner.loadgen import Response

SECONDS = 0.5
"""How long each calibration lasts at least; a slow model is asked for :data:`MIN_QUERIES` all the same."""
ALONE_SECONDS = 0.1
"""The same for Server's latency of a query that has the system for itself, which a latency limit is compared with."""
MIN_QUERIES = 3


class _Completions:
    """Counts completed samples, and wakes the waiting thread when the query is done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = 0
        self._done = threading.Event()

    def __call__(self, responses: list[Response]) -> None:
        with self._lock:
            self._left -= len(responses)
            if self._left == 0:
                self._done.set()

    def time_query(self, executor: Executor, ids: list[int], indices: list[int]) -> int:
        """Nanoseconds from issuing a query to the completion of its last sample."""
        self._left = len(ids)
        self._done.clear()
        start = perf_counter_ns()
        executor.issue(ids, indices)
        self._done.wait()
        return perf_counter_ns() - start

    def time_queries(self, executor: Executor, ids: list[int], indices: list[int]) -> int:
        """The same for as many queries of one sample each, issued at once."""
        self._left = len(ids)
        self._done.clear()
        start = perf_counter_ns()
        for one, index in zip(ids, indices, strict=True):
            executor.issue([one], [index])
        self._done.wait()
        return perf_counter_ns() - start


def calibrate(executor: Executor, samples: Sequence[int], scenario: str, samples_per_query: int) -> Calibration:
    """Measure the executor, which must be serving.

    Args:
        executor: with warmed-up workers.
        samples: indices of loaded samples, used in turn.
        scenario: LoadGen's; streams are measured query by query, Offline by throughput, Server by both.
        samples_per_query: MultiStream's samples in a query.
    """
    completions = _Completions()
    for worker in executor.workers:
        worker.complete = completions
    if scenario in ("SingleStream", "MultiStream"):
        size = samples_per_query if scenario == "MultiStream" else 1
        return calibrate_latency(completions, executor, samples, size)
    if scenario == "Server":
        alone = calibrate_latency(completions, executor, samples, 1, ALONE_SECONDS)
        return replace(
            calibrate_rate(completions.time_queries, executor, samples), query_latency_ns=alone.query_latency_ns
        )
    return calibrate_rate(completions.time_query, executor, samples)


def calibrate_latency(
    completions: _Completions, executor: Executor, samples: Sequence[int], size: int, seconds: float = SECONDS
) -> Calibration:
    """One query after another, each of ``size`` samples."""
    latencies: list[int] = []
    end = perf_counter_ns() + int(seconds * 1e9)
    while len(latencies) < MIN_QUERIES or perf_counter_ns() < end:
        start = len(latencies) * size
        latencies.append(completions.time_query(executor, *_query(start, size, samples)))
    median = int(statistics.median(latencies))
    return Calibration(median, size * 1e9 / max(1, median))


def calibrate_rate(
    burst: Callable[[Executor, list[int], list[int]], int], executor: Executor, samples: Sequence[int]
) -> Calibration:
    """Ever larger bursts, until one lasts long enough; each instance gets at least a few batches."""
    size = MIN_QUERIES * len(executor.workers)
    while True:  # ends, since the bursts grow
        elapsed = max(1, burst(executor, *_query(0, size, samples)))
        if elapsed >= SECONDS * 1e9:
            return Calibration(elapsed // size, size * 1e9 / elapsed)
        # Aim a little past the goal, but never more than tenfold on the word of a very short burst.
        size = int(size * min(10.0, max(1.5, 1.2 * SECONDS * 1e9 / elapsed)))


def _query(start: int, size: int, samples: Sequence[int]) -> tuple[list[int], list[int]]:
    return list(range(size)), [samples[place % len(samples)] for place in range(start, start + size)]
