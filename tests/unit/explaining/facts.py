"""Evidence of runs that never ran, of which every figure is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlharness.explaining.calls import Calls, Queries
from mlharness.explaining.evidence import Evidence, Figures, Setup
from mlharness.explaining.slices import Slices

MS = 1_000_000
THREAD = 100


def a_setup(**fields: Any) -> Setup:
    """Offline, two instances of one thread on two cores, batches of one sample."""
    known: dict[str, Any] = {
        "model": "tiny", "framework": "null", "device": "cpu", "scenario": "Offline", "instances": 2, "threads": 1,
        "batch_size": 1, "max_wait_us": 0, "cores": 2,
    }  # fmt: skip
    return Setup(**{**known, **fields})


def some_calls(
    count: int = 10,
    instances: int = 2,
    size: int | Sequence[int] = 1,
    gather: int = 1 * MS,
    predict: int | Sequence[int] = 6 * MS,
    postprocess: int = 2 * MS,
    complete: int = 1 * MS,
    between: int = 0,
) -> Calls:
    """So many batches of each instance, one after the other, all instances at once; nanoseconds."""
    lengths = np.broadcast_to(np.asarray(predict, np.int64), count)
    whole = gather + lengths + postprocess + complete
    starts = np.concatenate(([0], np.cumsum(whole + between)[:-1]))
    start = np.tile(starts, instances)
    begun = start + gather
    predicted = begun + np.tile(lengths, instances)
    instance = np.repeat(np.arange(instances), count)
    sizes = np.tile(np.broadcast_to(np.asarray(size, np.int64), count), instances)
    return Calls(start, predicted + postprocess + complete, instance + THREAD, instance, sizes, begun, predicted,
                 predicted + postprocess)  # fmt: skip


def some_queries(calls: Calls, waited: int = 0) -> Queries:
    """A query for each batch, which waited so long before."""
    return Queries(calls.start - waited, calls.end, np.full(len(calls), waited, np.int64))


def some_evidence(setup: Setup | None = None, calls: Calls | None = None, waited: int = 0, **fields: Any) -> Evidence:
    """Evidence with batches, and whatever else a test needs."""
    calls = some_calls() if calls is None else calls
    known: dict[str, Any] = {"figures": Figures(100.0, 100.0, 10 * MS), "slices": Slices(())}
    return Evidence(
        setup or a_setup(), calls=calls, watched=calls, queries=some_queries(calls, waited), **{**known, **fields}
    )
