"""A traced measurement: the plain one, with its parts wrapped so that they write down when they did what."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from mlharness.plugins import Plugins
from mlharness.runner import loadgen
from mlharness.runner.channel import PATIENT_S, Channel
from mlharness.runner.executors import InlineExecutor
from mlharness.runner.job import Job
from mlharness.runner.measure import Measurement
from mlharness.runner.opening import load_predictor
from mlharness.runner.tracing import Tracing
from mlharness.runner.worker import Note, Worker
from mlharness.trace.files import BATCHES, ISSUED, ISSUES, SAMPLES, SOURCES, write_document
from mlharness.trace.journal import Journal

MOST_BATCHES = 1 << 20
"""Batches, and queries, that are written down for each worker: 64 MB of a file with holes."""
MOST_SAMPLES = 1 << 23


class TracedWorker(Worker):
    """Writes one record a batch: when it began, predict began and ended, completion began and ended, and whose it is.

    In the timed path a batch is only put on a list, since every line costs there; at least once a second, when outputs
    are looked at anyway, the list goes to the journals. The samples' ids and indices have a journal of their own.
    """

    def trace_into(self, folder: Path) -> None:
        """Make the journals."""
        self._batch_journal = Journal(folder / BATCHES.format(self.number), 8, MOST_BATCHES)
        self._sample_journal = Journal(folder / SAMPLES.format(self.number), 1, MOST_SAMPLES)
        self._notes: list[Note] = []
        self.issues: IssueJournals | None = None
        """Takes each batch as a query issued when the batch began; None where queries are noted when LoadGen issues."""

    def begin_test(self) -> None:
        """From now on every batch is noted."""
        super().begin_test()
        self._thread = threading.get_native_id()
        self._note = self._notes.append

    def check_last(self) -> None:
        """Write down what was noted so far, then as the plain one."""
        self.write_notes()
        super().check_last()

    def write_notes(self) -> None:
        """Bring the notes to the journals."""
        for start, *stamps, ids, indices in self._notes:
            first = self._sample_journal.count
            self._sample_journal.extend([*ids, *indices])
            self._batch_journal.append(start, *stamps, len(ids), first, self._thread)
            if self.issues is not None:
                self.issues.write(start, ids, self._thread)
        self._notes.clear()


class IssueJournals:
    """When LoadGen issued each query, and the ids of its samples. One thread writes."""

    def __init__(self, folder: Path) -> None:
        self._issues = Journal(folder / ISSUES, 4, MOST_BATCHES)
        self._ids = Journal(folder / ISSUED, 1, MOST_SAMPLES)

    def write(self, when_ns: int, ids: Sequence[int], thread: int) -> None:
        """One query."""
        self._issues.append(when_ns, len(ids), self._ids.count, thread)
        self._ids.extend(ids)


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
        issues = IssueJournals(self.tracing.folder)
        if isinstance(self.executor, InlineExecutor):
            # The batch begins as soon as the query is issued, and is noted with fewer lines than a query.
            for worker in self.executor.workers:
                assert isinstance(worker, TracedWorker), "made by make_worker"
                worker.issues = issues
            noted = None
        else:
            noted = noting(self.executor.issue, issues)
        self.tracing.begin()
        super().test(settings, counts, noted)
        self.tracing.end()

    def close(self) -> None:
        """Close the predictors, and write what the tracers found."""
        self.channel.phase("trace", "reading what the tracers found", stall_s=PATIENT_S)
        super().close()  # a predictor may read its profile then
        found = self.tracing.collect(spans for worker in self.executor.workers for spans in worker.spans)
        write_document(self.tracing.folder / SOURCES, {**found, "phases": self.channel.phases})


def noting(issue: loadgen.Issue, issues: IssueJournals) -> loadgen.Issue:
    """``issue``, with each query written down before; called on the thread that will issue."""
    thread = threading.get_native_id()

    def noted(ids: list[int], indices: list[int]) -> None:
        issues.write(perf_counter_ns(), ids, thread)
        issue(ids, indices)

    return noted
