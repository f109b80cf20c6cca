"""Response writers turn postprocessed rows into the bytes that LoadGen reads, in buffers that outlive the call."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mlharness.errors import RunError
from mlharness.plan import RunPlan
from mlharness.providers import Array, ResponseSpec
from mlharness.runner import loadgen


class ResponseWriter(Protocol):
    """Belongs to one worker. What :meth:`write` returns is valid until its next call."""

    def write(self, rows: Array | Sequence[Array], ids: Sequence[int]) -> list[loadgen.Response]:
        """One response per id. May raise anything when the rows are not what the plan says, and need not."""
        ...

    def check(self, rows: Array | Sequence[Array]) -> None:
        """Raise RunError when the rows that were just written are not what the plan says.

        Called once the samples have been completed, since it costs as much as writing, and fails the run as well.
        """
        ...


class FixedWriter:
    """Rows of one shape, copied into one buffer; responses keep their addresses and only change their ids."""

    def __init__(self, spec: ResponseSpec, batch_size: int) -> None:
        self._row = tuple(size for size in spec.shape if size is not None)
        self._dtype = np.dtype(spec.dtype)
        self._buffer = np.zeros((batch_size, *self._row), self._dtype)
        size = self._dtype.itemsize * math.prod(self._row)
        start = self._buffer.ctypes.data
        self._responses = loadgen.make_responses([start + row * size for row in range(batch_size)], size)
        self._resize(1)

    def write(self, rows: Array | Sequence[Array], ids: Sequence[int]) -> list[loadgen.Response]:
        if len(ids) != self._count:
            self._resize(len(ids))
        self._rows[...] = rows
        loadgen.name_responses(self._current, ids)
        return self._current

    def check(self, rows: Array | Sequence[Array]) -> None:
        # Assigning would silently repeat a single row over the batch, and convert other numbers.
        if not isinstance(rows, np.ndarray) or rows.shape != self._shape or rows.dtype != self._dtype:
            raise RunError(describe_mismatch(rows, self._count, self._dtype, self._row))

    def _resize(self, count: int) -> None:
        """Make ready for batches of this size, which seldom changes."""
        self._count, self._shape = count, (count, *self._row)
        self._rows, self._current = self._buffer[:count], self._responses[:count]


class SingleWriter(FixedWriter):
    """A :class:`FixedWriter` of batches of one sample, which writes in the fewest lines: caches are cold there."""

    def __init__(self, spec: ResponseSpec) -> None:
        super().__init__(spec, 1)
        (self._response,) = self._current

    def write(self, rows: Array | Sequence[Array], ids: Sequence[int]) -> list[loadgen.Response]:
        self._rows[...] = rows
        self._response.id = ids[0]
        return self._current


class RaggedWriter:
    """Rows of any length, one array per sample; the arrays are kept until the next call."""

    def __init__(self, spec: ResponseSpec) -> None:
        self._spec = spec
        self._dtype = np.dtype(spec.dtype)
        self._kept: list[Array] = []

    def write(self, rows: Array | Sequence[Array], ids: Sequence[int]) -> list[loadgen.Response]:
        # First, since LoadGen reads the memory that a row says it has.
        if len(rows) != len(ids) or any(not self._fits(row) for row in rows):
            raise RunError(describe_mismatch(rows, len(ids), self._dtype, self._spec.shape))
        self._kept = [np.ascontiguousarray(row) for row in rows]
        responses = [loadgen.make_responses((row.ctypes.data,), row.nbytes)[0] for row in self._kept]
        loadgen.name_responses(responses, ids)
        return responses

    def check(self, rows: Array | Sequence[Array]) -> None:
        """Nothing is left to check."""

    def _fits(self, row: object) -> bool:
        shape = self._spec.shape
        return (
            isinstance(row, np.ndarray)
            and row.dtype == self._dtype
            and row.ndim == len(shape)
            and all(size in (None, real) for size, real in zip(shape, row.shape, strict=True))
        )


def write_checked(writer: ResponseWriter, rows: Array | Sequence[Array], ids: Sequence[int]) -> None:
    """Write, and raise RunError for rows that are not what the plan says, whatever writing them raised."""
    try:
        writer.write(rows, ids)
    finally:
        writer.check(rows)


def describe_mismatch(rows: object, count: int, dtype: object, shape: Sequence[int | None]) -> str:
    """What postprocessing gave, beside what the metric reads back."""
    if isinstance(rows, np.ndarray):
        found = f"{rows.dtype} {list(rows.shape)}"
    elif isinstance(rows, Sequence):
        kinds = sorted(
            {f"{row.dtype} {list(row.shape)}" if isinstance(row, np.ndarray) else type(row).__name__ for row in rows}
        )
        found = f"{len(rows)} rows of {', '.join(kinds[:3]) or 'nothing'}"
    else:
        found = type(rows).__name__
    return f"postprocess gives {found} for {count} samples, and the response is {dtype} {[count, *shape]}"


def make_writer(plan: RunPlan, rows: Array | Sequence[Array], batch_size: int) -> ResponseWriter:
    """The writer for a plan: the metric's response, or the shape of ``rows`` (a batch seen in warm-up) without one.

    Python of the published manifests may answer any number of numbers, whatever it answered in warm-up.
    """
    if plan.metric is not None:
        spec = plan.metric.response
    else:
        first = np.asarray(rows[0])
        free = is_ragged(rows) or answers_freely(plan)
        spec = ResponseSpec(str(first.dtype), (None,) * first.ndim if free else first.shape)
    if None in spec.shape:
        return RaggedWriter(spec)
    return FixedWriter(spec, batch_size) if batch_size > 1 else SingleWriter(spec)


def is_ragged(rows: Array | Sequence[Array]) -> bool:
    """True when the rows are no single array."""
    return not isinstance(rows, np.ndarray)


def answers_freely(plan: RunPlan) -> bool:
    """True when the responses are what Python of the published manifests returned: float32 of any length."""
    return bool(plan.postprocess) and plan.postprocess[-1].published
