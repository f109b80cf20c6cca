"""A traced measurement: the plain one, with its parts wrapped so that they write down when they did what."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic_ns
from typing import Any

from mlharness.plugins import Plugins
from mlharness.providers import Array
from mlharness.runner import loadgen
from mlharness.runner.channel import PATIENT_S, Channel
from mlharness.runner.job import Job
from mlharness.runner.measure import Measurement
from mlharness.runner.opening import load_predictor
from mlharness.runner.tracing import Tracing
from mlharness.runner.worker import Worker
from mlharness.trace.files import BATCHES, ISSUED, ISSUES, SAMPLES, SOURCES, write_document
from mlharness.trace.journal import Journal

MOST_BATCHES = 1 << 20
"""Batches, and queries, that are written down for each worker: 64 MB of a file with holes."""
MOST_SAMPLES = 1 << 23


class TracedWorker(Worker):
    """Writes one record a batch: when it began, predict began and ended, completion began and ended, and whose it is.

    The samples' ids and indices go to a journal of their own.
    """

    def trace_into(self, folder: Path) -> None:
        """Make the journals."""
        self._batches = Journal(folder / BATCHES.format(self.number), 8, MOST_BATCHES)
        self._samples = Journal(folder / SAMPLES.format(self.number), 1, MOST_SAMPLES)
        self._stamps = [0, 0, 0, 0]
        self._thread = 0

    def begin_test(self) -> None:
        """Wrap what is called from now on."""
        super().begin_test()
        self._thread = threading.get_native_id()
        predict, complete, stamps = self._predict, self.complete, self._stamps

        def stamped_predict(batch: dict[str, Array]) -> list[Array]:
            stamps[0] = monotonic_ns()
            outputs = predict(batch)
            stamps[1] = monotonic_ns()
            return outputs

        def stamped_complete(responses: list[loadgen.Response]) -> None:
            stamps[2] = monotonic_ns()
            complete(responses)
            stamps[3] = monotonic_ns()

        self._predict, self.complete = stamped_predict, stamped_complete

    def _answer_batch(self, ids: Sequence[int], indices: list[int]) -> None:
        start = monotonic_ns()
        super()._answer_batch(ids, indices)
        if not self._thread:  # not the test yet
            return
        first = self._samples.count
        self._samples.extend([*ids, *indices])
        self._batches.append(start, *self._stamps, len(ids), first, self._thread)


class TracedMeasurement(Measurement):
    """Starts the tracers before anything is loaded, and collects from them when the predictors were closed."""

    def __init__(self, job: Job, plugins: Plugins, channel: Channel) -> None:
        super().__init__(job, plugins, channel)
        assert job.trace is not None, "a traced measurement has its levels"
        self.tracing = Tracing(job.trace, self.plan, plugins.catalog)

    def load(self) -> None:
        """As the plain one, with the tracers running."""
        self.tracing.start()
        super().load()

    def make_worker(self, number: int) -> Worker:
        """A worker that writes down what it does."""
        trace = self.tracing.of_framework(self.plan.framework.plugin)
        worker = TracedWorker(number, load_predictor(self.framework, self.plan, trace), *self.parts())
        worker.trace_into(self.tracing.folder)
        return worker

    def test(self, settings: Any, counts: tuple[int, int], issue: loadgen.Issue | None = None) -> None:
        """The test, with each query written down when LoadGen issues it."""
        issues = Journal(self.tracing.folder / ISSUES, 4, MOST_BATCHES)
        issued = Journal(self.tracing.folder / ISSUED, 1, MOST_SAMPLES)
        inner, thread = self.executor.issue, threading.get_native_id()

        def noted(ids: list[int], indices: list[int]) -> None:
            now = monotonic_ns()
            issues.append(now, len(ids), issued.count, thread)
            issued.extend(ids)
            inner(ids, indices)

        self.tracing.begin()
        super().test(settings, counts, noted)
        self.tracing.end()

    def close(self) -> None:
        """Close the predictors, and write what the tracers found."""
        self.channel.phase("trace", "reading what the tracers found", stall_s=PATIENT_S)
        super().close()  # a predictor may read its profile then
        found = self.tracing.collect(spans for worker in self.executor.workers for spans in worker.spans)
        write_document(self.tracing.folder / SOURCES, {**found, "phases": self.channel.phases})
