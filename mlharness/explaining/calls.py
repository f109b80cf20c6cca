"""The batches of a traced run as arrays: what each was made of, and which worker did it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness.trace.spans import Integers

_BATCHES = """
    SELECT batch.start_ns, batch.start_ns + batch.duration_ns, batch.thread,
           CAST(batch.attributes ->> 'instance' AS BIGINT), CAST(batch.attributes ->> 'size' AS BIGINT),
           min(part.start_ns) FILTER (part.name = 'predict'),
           min(part.start_ns + part.duration_ns) FILTER (part.name = 'predict'),
           min(part.start_ns) FILTER (part.name = 'complete')
    FROM spans AS batch JOIN spans AS part ON part.parent = batch.id
    WHERE batch.kind = 'batch' AND part.kind IN ('predict', 'complete')
    GROUP BY ALL HAVING count(*) = 2 ORDER BY batch.start_ns
"""
_QUERIES = """
    SELECT query.start_ns, query.start_ns + query.duration_ns,
           coalesce(sum(part.duration_ns) FILTER (part.kind IN ('schedule', 'queue')), 0)
    FROM spans AS query LEFT JOIN spans AS part ON part.parent = query.id
    WHERE query.kind = 'query' GROUP BY query.id, query.start_ns, query.duration_ns ORDER BY query.start_ns
"""


@dataclass(frozen=True)
class Calls:
    """One row a batch, int64 [n]; times in nanoseconds of the monotonic clock.

    A batch gathers its inputs from ``start``, predicts from ``predict`` to ``predicted``, postprocesses, hands its
    responses to LoadGen from ``completing``, and ends at ``end``.
    """

    start: Integers
    end: Integers
    thread: Integers
    instance: Integers
    size: Integers
    predict: Integers
    predicted: Integers
    completing: Integers

    def __len__(self) -> int:
        return len(self.start)

    @property
    def window_ns(self) -> int:
        """From the first batch's start to the last one's end."""
        return int(self.end.max() - self.start.min())

    @property
    def whole_ns(self) -> Integers:
        """Each batch's time."""
        return self.end - self.start

    @property
    def predict_ns(self) -> Integers:
        """Each batch's time in predict."""
        return self.predicted - self.predict

    @property
    def postprocess_ns(self) -> Integers:
        """Each batch's time in postprocessing."""
        return self.completing - self.predicted

    @property
    def harness_ns(self) -> Integers:
        """Each batch's time in gathering inputs and handing over responses."""
        return self.predict - self.start + self.end - self.completing

    @property
    def python_ns(self) -> Integers:
        """Each batch's time outside predict, in which the interpreter runs."""
        return self.whole_ns - self.predict_ns

    @property
    def workers(self) -> int:
        """How many instances took batches."""
        return len(np.unique(self.instance))


@dataclass(frozen=True)
class Queries:
    """One row a query, int64 [n]: when it began and ended, and how long it waited before its first batch began."""

    start: Integers
    end: Integers
    waited: Integers

    def __len__(self) -> int:
        return len(self.start)

    @property
    def latency_ns(self) -> Integers:
        """From when LoadGen had scheduled each to its last sample's completion."""
        return self.end - self.start


def read_calls(database: Any) -> Calls | None:
    """The batches of an opened trace; None when it has none, or not their predict calls."""
    rows = database.execute(_BATCHES).fetchall()
    return Calls(*_columns(rows)) if rows else None


def read_queries(database: Any) -> Queries | None:
    """The queries of an opened trace; None when it has none."""
    rows = database.execute(_QUERIES).fetchall()
    return Queries(*_columns(rows)) if rows else None


def _columns(rows: Sequence[Sequence[int]]) -> list[Integers]:
    return list(np.array(rows, np.int64).T)
