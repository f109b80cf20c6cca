"""The latencies of single queries, which only a traced run keeps: binned, so that a page stays small."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.trace.parquet import open_trace

BINS = 60
"""At most; few queries have fewer, twice the root of their number."""
POINTS = 1500
"""As many queries are shown one by one; more are brought together in stretches of time."""
STRETCHES = 300
MARKS = {"p50": 50.0, "p90": 90.0, "p99": 99.0}

_SPANS = """
    SELECT coalesce(query, 0) AS query, start_ns, duration_ns FROM spans
    WHERE level = 'application' AND kind = $kind ORDER BY start_ns
"""


@dataclass(frozen=True)
class Latencies:
    """Of ``count`` queries: ``bins`` and ``marks`` for a histogram, ``points`` for their course in time; all in ms."""

    count: int
    bins: list[dict[str, Any]] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    points: list[dict[str, Any]] = field(default_factory=list)


def read_latencies(directory: Path, kind: str = "query") -> Latencies:
    """The queries of a run's trace, or spans of another kind, such as ``batch``: Offline has one query only.

    Raises:
        UserError: there is no trace, or it cannot be read.
    """
    with open_trace(directory, "application") as database:
        found = {
            name: np.asarray(column) for name, column in database.execute(_SPANS, {"kind": kind}).fetchnumpy().items()
        }
    start, ms = found["start_ns"], found["duration_ns"] / 1e6
    if not len(ms):
        return Latencies(0)
    seconds = (start - start[0]) / 1e9
    marks = dict(zip(MARKS, np.percentile(ms, list(MARKS.values())).tolist(), strict=True))
    points = single(found["query"], seconds, ms) if len(ms) <= POINTS else together(seconds, ms)
    return Latencies(len(ms), histogram_of(ms), marks, points)


def histogram_of(ms: Any) -> list[dict[str, Any]]:
    """Bins of equal width; their ends are the least and the largest latency."""
    wanted = min(BINS, math.ceil(2 * math.sqrt(len(ms))))
    counts, edges = np.histogram(ms, bins=wanted if np.ptp(ms) > 0 else 1)
    return [
        {"low": low, "high": high, "count": count}
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    ]


def single(number: Any, seconds: Any, ms: Any) -> list[dict[str, Any]]:
    """A point for each query."""
    rows = zip(number.tolist(), seconds.tolist(), ms.tolist(), strict=True)
    return [{"query": query, "s": round(s, 6), "ms": round(value, 6)} for query, s, value in rows]


def together(seconds: Any, ms: Any) -> list[dict[str, Any]]:
    """Median, 90th percentile and largest latency of each stretch of time in which a query began."""
    stretch = np.minimum((seconds / max(seconds[-1], 1e-9) * STRETCHES).astype(int), STRETCHES - 1)
    bounds = np.searchsorted(stretch, np.arange(STRETCHES + 1))
    rows = []
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if first == last:
            continue
        median, p90 = np.percentile(ms[first:last], [50, 90]).tolist()
        rows.append({"s": round(float(seconds[first]), 4), "median": median, "p90": p90,
                     "largest": float(ms[first:last].max())})  # fmt: skip
    return rows
