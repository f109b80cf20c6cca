"""A traced runner's folder, written by a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlharness.trace.files import BATCHES, ISSUED, ISSUES, SAMPLES
from mlharness.trace.journal import Journal
from mlharness.trace.queries import query_spans, read_queries
from mlharness.trace.spans import SpanTable, concatenate
from mlharness.trace.tree import with_parents


@dataclass
class Run:
    """A runner's folder, written as the runner writes it."""

    folder: Path
    capacity: int = 100
    workers: dict[int, tuple[Journal, Journal]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logs = self.folder / "loadgen"
        self.logs.mkdir()
        self.issues = Journal(self.folder / ISSUES, 4, self.capacity)
        self.issued = Journal(self.folder / ISSUED, 1, self.capacity)

    def issue(self, when: int, ids: Sequence[int], thread: int = 1) -> None:
        self.issues.append(when, len(ids), self.issued.count, thread)
        self.issued.extend(ids)

    def batch(self, worker: int, times: Sequence[int], ids: Sequence[int], thread: int = 11) -> None:
        """``times``: start, predict began, predict ended, completion began, completion ended."""
        if worker not in self.workers:
            self.workers[worker] = (
                Journal(self.folder / BATCHES.format(worker), 8, self.capacity),
                Journal(self.folder / SAMPLES.format(worker), 1, self.capacity),
            )
        batches, samples = self.workers[worker]
        first = samples.count
        samples.extend([*ids, *(100 + one for one in ids)])
        batches.append(*times, len(ids), first, thread)

    def spans(self, phases: Sequence[tuple[str, int]] = ()) -> SpanTable:
        """The tree of all that was written."""
        spans = query_spans(read_queries(self.folder, self.logs), phases, 10_000)
        return with_parents(concatenate([spans.table()]), 0)
