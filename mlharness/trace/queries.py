"""The application and the model level: from what a traced runner wrote down to spans of queries, batches and calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlharness.trace.files import BATCHES, ISSUED, ISSUES, SAMPLES
from mlharness.trace.journal import read_journal
from mlharness.trace.levels import APPLICATION, MODEL
from mlharness.trace.spans import Integers, Spans

SOURCE = "mlharness"
QUERY, SCHEDULE, QUEUE, BATCH = "query", "schedule", "queue", "batch"
GATHER, PREDICT, POSTPROCESS, COMPLETE, SHARED = "gather", "predict", "postprocess", "complete", "shared batch"
RUN = "run"
_DELAY = re.compile(rb'"query_seq":(\d+),.*?"issue_start_ns":(\d+)')
_NAMED = 8
"""A predict call names so many of its samples; of a larger batch, the first."""


@dataclass(frozen=True)
class Batch:
    """One batch, as its worker wrote it down: times in nanoseconds of the monotonic clock."""

    instance: int
    start: int
    predict: int
    predicted: int
    completing: int
    completed: int
    thread: int
    ids: Sequence[int]
    indices: Sequence[int]


@dataclass
class Query:
    """One query: LoadGen meant it to come at ``scheduled``, and issued it at ``issued``, on ``thread``."""

    number: int
    scheduled: int
    issued: int
    thread: int
    samples: int
    batches: list[Batch] = field(default_factory=list)

    @property
    def end(self) -> int:
        """When the last of its samples was completed."""
        return max((batch.completed for batch in self.batches), default=self.issued)


@dataclass(frozen=True)
class Recorded:
    """All that the journals of a traced run hold, and how many records did not fit."""

    queries: list[Query]
    dropped: int


def read_queries(folder: Path, logs: Path) -> Recorded:
    """The queries and their batches.

    Args:
        folder: with the journals.
        logs: with LoadGen's files; its trace, when there, tells when each query should have been issued.
    """
    issues, dropped = _journal(folder / ISSUES, 4)
    issued, lost = _journal(folder / ISSUED, 1)
    delays = schedule_delays(logs / "mlperf_log_trace.json")
    queries = [
        Query(number, when - delays.get(number, 0), when, thread, samples)
        for number, (when, samples, _, thread) in enumerate(issues.tolist())
    ]
    batches, missing = _batches(folder)
    _assign(queries, [issued[first : first + count, 0] for _, count, first, _ in issues.tolist()], batches)
    return Recorded([query for query in queries if query.batches], dropped + lost + missing)


def schedule_delays(path: Path) -> dict[int, int]:
    """For each query, nanoseconds from when LoadGen had scheduled it to when it issued it.

    LoadGen's trace is no JSON (some of its values are quoted twice), so its lines are searched.
    """
    if not path.is_file():
        return {}
    return {int(found[1]): int(found[2]) for found in _DELAY.finditer(path.read_bytes())}


def _assign(queries: Sequence[Query], ids: Sequence[Integers], batches: Sequence[Batch]) -> None:
    """Give each batch to the queries whose samples it holds. An id may be used again once its sample is completed."""
    owner: dict[int, Query] = {}
    issued = 0
    for batch in sorted(batches, key=lambda one: one.start):
        while issued < len(queries) and queries[issued].issued <= batch.start:
            owner |= dict.fromkeys(ids[issued].tolist(), queries[issued])
            issued += 1
        for query in {id(found): found for one in batch.ids if (found := owner.get(one))}.values():
            query.batches.append(batch)


def _batches(folder: Path) -> tuple[list[Batch], int]:
    found, dropped = [], 0
    for path in sorted(folder.glob(BATCHES.format("*"))):
        number = int(path.stem.rpartition("-")[2])
        records, lost = _journal(path, 8)
        samples, missing = _journal(folder / SAMPLES.format(number), 1)
        dropped += lost + missing
        flat = samples[:, 0].tolist()
        for start, predict, predicted, completing, completed, count, first, thread in records.tolist():
            whose = flat[first : first + 2 * count]
            if len(whose) == 2 * count:
                found.append(Batch(number, start, predict, predicted, completing, completed, thread,
                                   whose[:count], whose[count:]))  # fmt: skip
    return found, dropped


def _journal(path: Path, width: int) -> tuple[Integers, int]:
    """The records; none when the file never came to be, or was cut off at its beginning."""
    try:
        return read_journal(path)
    except (OSError, ValueError):
        return np.empty((0, width), np.int64), 0


class _Keys:
    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        self.last += 1
        return self.last


def query_spans(recorded: Recorded, phases: Sequence[tuple[str, int]], end_ns: int) -> Spans:
    """Spans of the run, its phases, its queries, and of each call of the model.

    Args:
        recorded: what the journals held.
        phases: the runner's phases, each with its start.
        end_ns: when the last of them ended.

    Where a batch holds samples of several queries, it stands under the first of them; the others have a span that
    says so, with the batch's bounds and its number (attribute ``batch``).
    """
    spans, keys = Spans(SOURCE), _Keys()
    spans.dropped = recorded.dropped
    test = _phase_spans(spans, keys, phases, end_ns)
    batches: dict[int, int] = {}
    for query in recorded.queries:
        _query(spans, keys, query, test, batches)
    return spans


def _phase_spans(spans: Spans, keys: _Keys, phases: Sequence[tuple[str, int]], end_ns: int) -> int:
    """The run and its phases; returns the key of the phase in which the test ran."""
    if not phases:
        return 0
    run, test = keys.next(), 0
    spans.add(APPLICATION, RUN, phases[0][1], end_ns - phases[0][1], kind=RUN, key=run)
    for (name, start), (_, until) in zip(phases, [*phases[1:], ("", end_ns)], strict=True):
        key = keys.next()
        spans.add(APPLICATION, name, start, until - start, kind="phase", key=key, parent=run)
        test = key if name == "measure" else test
    return test


def _query(spans: Spans, keys: _Keys, query: Query, test: int, batches: dict[int, int]) -> None:
    key, number = keys.next(), query.number
    begin = min(query.scheduled, query.issued)
    spans.add(APPLICATION, QUERY, begin, query.end - begin, kind=QUERY, thread=0, query=number, key=key, parent=test,
              attributes=f'{{"samples":{query.samples}}}')  # fmt: skip
    if query.issued > query.scheduled:
        spans.add(APPLICATION, SCHEDULE, query.scheduled, query.issued - query.scheduled, kind=SCHEDULE, query=number,
                  key=keys.next(), parent=key)  # fmt: skip
    first = min(batch.start for batch in query.batches)
    if first > query.issued:
        spans.add(APPLICATION, QUEUE, query.issued, first - query.issued, kind=QUEUE, query=number, key=keys.next(),
                  parent=key)  # fmt: skip
    for batch in query.batches:
        known = batches.get(id(batch))
        if known is None:
            batches[id(batch)] = _batch(spans, keys, batch, number, key)
        else:
            spans.add(APPLICATION, SHARED, batch.start, batch.completed - batch.start, kind=SHARED, query=number,
                      key=keys.next(), parent=key, attributes=f'{{"batch":{known}}}')  # fmt: skip


def _batch(spans: Spans, keys: _Keys, batch: Batch, query: int, parent: int) -> int:
    key, start = keys.next(), batch.start
    attributes = f'{{"batch":{key},"size":{len(batch.ids)},"instance":{batch.instance}}}'
    spans.add(APPLICATION, BATCH, start, batch.completed - start, kind=BATCH, thread=batch.thread, query=query, key=key,
              parent=parent, attributes=attributes)  # fmt: skip
    for level, name, begin, end in (
        (APPLICATION, GATHER, start, batch.predict),
        (MODEL, PREDICT, batch.predict, batch.predicted),
        (APPLICATION, POSTPROCESS, batch.predicted, batch.completing),
        (APPLICATION, COMPLETE, batch.completing, batch.completed),
    ):
        about = _call(batch) if level == MODEL else ""
        spans.add(level, name, begin, end - begin, kind=name, thread=batch.thread, query=query, key=keys.next(),
                  parent=key, attributes=about)  # fmt: skip
    return key


def _call(batch: Batch) -> str:
    samples = ",".join(map(str, batch.indices[:_NAMED]))
    return f'{{"batch":{len(batch.indices)},"instance":{batch.instance},"samples":[{samples}]}}'


def sampled(queries: Sequence[Query], every: int, first: int) -> Iterator[int]:
    """The numbers of the queries that the user wants to keep."""
    chosen = queries[::every]
    return (query.number for query in (chosen[:first] if first else chosen))


def phases_of(document: Mapping[str, object]) -> list[tuple[str, int]]:
    """The runner's phases, as the file of sources has them."""
    found = document.get("phases", [])
    assert isinstance(found, list), "the runner writes a list"
    return [(str(name), int(start)) for name, start in found]
