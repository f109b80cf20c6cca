"""The sample library (LoadGen's QSL): samples are preprocessed when they are loaded, untimed, and held ready.

Where all samples have one shape there is one contiguous array per input, so that a batch is a slice, or one ``take``
into a buffer that is used again. Only the loaded set is ever resident.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from mlharness.errors import PLUGIN_RAISES, RunError, UserError
from mlharness.memory import free_memory
from mlharness.providers import Array, Arrays, DataSet, LoadingDataSet, TensorSpec
from mlharness.runner.pipeline import Pipeline


class SampleLibrary:
    """Preprocessed samples by their index in the data set.

    Args:
        dataset: where raw samples come from.
        pipeline: the preprocessing.
        threads: how many threads may preprocess at once.
        advance: called with the number of samples loaded so far.
        called: names the data set in messages.
        raw: preprocessing begins with the data set's samples; otherwise it opens them itself, and they are not read.
    """

    def __init__(
        self,
        dataset: DataSet,
        pipeline: Pipeline,
        threads: int,
        advance: Callable[[int], None] = lambda done: None,
        called: str = "the data set",
        raw: bool = True,
    ) -> None:
        self.names: tuple[str, ...] = ()
        self.ragged = False
        self.sample_bytes = 0
        """What the first of the loaded samples takes."""
        self.sample_shapes: tuple[tuple[int, ...], ...] = ()
        """The shapes of its arrays."""
        self._dataset = dataset
        self._pipeline = pipeline
        self._inputs: tuple[TensorSpec, ...] = ()
        self._threads = 1 if pipeline.serial else threads
        self._advance = advance
        self._called = called
        self._raw = raw
        self._in_use: list[int] = []
        """What the data set was told to load."""
        self._slots = np.full(len(dataset), -1, dtype=np.int64)
        self._slot_of: list[int] = []  # the same as a list, which answers for one sample in a fifth of the time
        self._columns: list[Array] = []
        self._rows: list[Arrays | None] = []
        self.alone: dict[int, dict[str, Array]] = {}
        """Each sample as a batch of its own, made beforehand, as making it costs like a small model's operator.

        Empty where samples are ragged.
        """

    def expect(self, inputs: Sequence[TensorSpec]) -> None:
        """Say what is to be held: the model's inputs, in the order in which preprocessing returns its arrays."""
        self._inputs = tuple(inputs)
        self.names = tuple(spec.name for spec in inputs)

    def load(self, indices: Sequence[int]) -> None:
        """Preprocess and hold these samples. Raises RunError naming the sample and step that failed."""
        self._release()
        self._claim(indices)
        first = self._prepare(indices[0])
        self.sample_bytes = sum(array.nbytes for array in first)
        self.sample_shapes = tuple(array.shape for array in first)
        check_memory(self.sample_bytes, len(indices))
        self._slots[:] = -1
        self._slots[np.asarray(indices)] = np.arange(len(indices))
        self._slot_of = self._slots.tolist()
        self._columns = [allocate((len(indices), *array.shape), array) for array in first]
        self._rows = [None] * len(indices)
        self.alone = {}
        self.ragged = False
        self._place(0, first)
        self._load_rest(indices)
        if self.ragged:
            self._leave_columns()
        else:
            self.alone = {index: self._slice(slot) for slot, index in enumerate(indices)}

    def unload(self, indices: Sequence[int]) -> None:
        """Forget the loaded samples."""
        self._slots[:] = -1
        self._columns, self._rows, self.alone, self.ragged = [], [], {}, False
        self._release()

    def gather(self, indices: Sequence[int], buffers: Sequence[Array]) -> dict[str, Array]:
        """One array per input for these samples, batch axis first.

        Neighbours are a view of the library itself; others are copied into ``buffers`` (one per input, at least as
        long as the batch), which belong to the calling worker.
        """
        if len(indices) == 1:
            return self.alone[indices[0]].copy()  # the caller may do with it as it likes
        slots = self._slots[indices]
        first, count = int(slots[0]), len(indices)
        assert slots.min() >= 0, f"samples {[index for index in indices if self._slot_of[index] < 0]} are not loaded"
        if int(slots[-1]) - first == count - 1 and (np.diff(slots) == 1).all():
            chosen = [column[first : first + count] for column in self._columns]
        else:
            # Every slot is valid: mode "clip" only spares numpy's own copy of the output.
            chosen = [
                np.take(column, slots, axis=0, out=buffer[:count], mode="clip")
                for column, buffer in zip(self._columns, buffers, strict=True)
            ]
        return dict(zip(self.names, chosen, strict=True))

    def buffers(self, batch_size: int) -> list[Array]:
        """Buffers for :meth:`gather`, one set per worker."""
        return [np.empty((batch_size, *column.shape[1:]), column.dtype) for column in self._columns]

    def shape_key(self, index: int) -> tuple[tuple[int, ...], ...]:
        """The shapes of one ragged sample; only samples of equal shapes share a batch."""
        return tuple(array.shape for array in self._row(index))

    def stack(self, indices: Sequence[int], buffers: Sequence[Array] = ()) -> dict[str, Array]:
        """A batch of ragged samples of equal shapes, which no buffer fits; called in the place of :meth:`gather`."""
        columns = zip(*(self._row(index) for index in indices), strict=True)
        return {name: np.stack(column) for name, column in zip(self.names, columns, strict=True)}

    def _slice(self, slot: int) -> dict[str, Array]:
        return {name: column[slot : slot + 1] for name, column in zip(self.names, self._columns, strict=True)}

    def _row(self, index: int) -> Arrays:
        slot = self._slot_of[index]
        row = self._rows[slot] if slot >= 0 else None
        assert row is not None, f"sample {index} is not loaded"
        return row

    def _load_rest(self, indices: Sequence[int]) -> None:
        def one(slot: int) -> None:
            self._place(slot, self._prepare(indices[slot]))

        if self._threads == 1:
            for slot in range(1, len(indices)):
                one(slot)
                self._advance(slot + 1)
            return
        with ThreadPoolExecutor(self._threads, "preprocess") as pool:
            for done, _ in enumerate(pool.map(one, range(1, len(indices))), start=2):
                self._advance(done)

    def _place(self, slot: int, arrays: Arrays) -> None:
        if all(array.shape == column.shape[1:] for array, column in zip(arrays, self._columns, strict=True)):
            for array, column in zip(arrays, self._columns, strict=True):
                column[slot] = array
        else:
            self.ragged = True
            self._rows[slot] = arrays

    def _leave_columns(self) -> None:
        for slot, row in enumerate(self._rows):
            if row is None:
                self._rows[slot] = tuple(column[slot].copy() for column in self._columns)
        self._columns = []

    def _prepare(self, index: int) -> Arrays:
        arrays = self._pipeline.on_sample(self._read(index) if self._raw else (), index)
        check_arrays(arrays, self._inputs, index)
        return arrays

    def _read(self, index: int) -> Arrays:
        with self._naming(f"sample {index} of {self._called} cannot be read", f"on sample {index}"):
            return self._dataset.sample(index)

    def _claim(self, indices: Sequence[int]) -> None:
        """Tell a data set that asks for it which samples will be asked for."""
        if isinstance(self._dataset, LoadingDataSet):
            with self._naming(f"{self._called} cannot load its samples", "to load its samples"):
                self._dataset.load(indices)
            self._in_use = list(indices)

    def _release(self) -> None:
        """Tell it that they are no longer needed."""
        in_use, self._in_use = self._in_use, []
        if in_use and isinstance(self._dataset, LoadingDataSet):
            with self._naming(f"{self._called} cannot unload its samples", "to unload its samples"):
                self._dataset.unload(in_use)

    @contextmanager
    def _naming(self, wrong: str, failed: str) -> Iterator[None]:
        """What the data set raises is a failed run: ``wrong`` when the user can mend it, else that it ``failed``."""
        try:
            yield
        except RunError:
            raise
        except UserError as error:
            raise RunError(f"{wrong}: {error.message}", error.remedy) from error
        except PLUGIN_RAISES as error:
            raise RunError(f"{self._called} failed {failed}: {type(error).__name__}: {error}") from error


def check_arrays(arrays: Arrays, inputs: Sequence[TensorSpec], index: int) -> None:
    """Raise RunError unless preprocessing gave one array per input, with its dtype and shape (batch axis left out).

    What neither manifest nor model say is not checked.
    """
    if len(arrays) != len(inputs):
        raise RunError(
            f"preprocess gives {len(arrays)} arrays for sample {index}, and the model has {len(inputs)} inputs"
        )
    for array, spec in zip(arrays, inputs, strict=True):
        if not isinstance(array, np.ndarray):
            raise RunError(f"preprocess gives {type(array).__name__} for input {spec.name!r}, not a NumPy array")
        wanted = spec.shape[1:]
        fits = not spec.shape or (
            len(wanted) == array.ndim
            and all(size in (None, real) for size, real in zip(wanted, array.shape, strict=True))
        )
        if (spec.dtype and array.dtype != np.dtype(spec.dtype)) or not fits:
            raise RunError(
                f"preprocess gives {array.dtype} {list(array.shape)} for input {spec.name!r} of sample {index}, "
                f"and the model takes {spec.dtype} {list(wanted)}",
                "Add or correct a step under preprocess.",
            )


def check_memory(sample_bytes: int, count: int) -> None:
    """Raise UserError when the loaded set cannot fit into the memory that is free now."""
    needed, free = sample_bytes * count, free_memory()
    if needed > free:
        raise UserError(
            f"{count} preprocessed samples need {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free",
            "Lower --count, or mlperf.performance_sample_count in the manifest.",
        )


def allocate(shape: tuple[int, ...], like: Array) -> Array:
    """An uninitialised array with another's dtype. Raises UserError when the system refuses the memory."""
    try:
        return np.empty(shape, like.dtype)
    except MemoryError:
        needed = math.prod(shape) * like.dtype.itemsize
        raise UserError(
            f"{shape[0]} preprocessed samples need {needed / 2**30:.1f} GiB, which the system does not give",
            "Lower --count, or mlperf.performance_sample_count in the manifest; see also ulimit -v.",
        ) from None
