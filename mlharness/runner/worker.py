"""A worker answers batches with one predictor on one thread: gather, predict, postprocess, respond.

Its clocks add up what the framework took and what mlharness took; nothing else is measured in the timed path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from time import perf_counter_ns
from typing import Any, TypeAlias

import numpy as np

from mlharness.errors import PLUGIN_RAISES, RunError
from mlharness.plan import RunPlan
from mlharness.providers import Array, Complexity, MeasureComplexity, Predictor, TensorSpec
from mlharness.runner import loadgen
from mlharness.runner.library import SampleLibrary
from mlharness.runner.opening import blaming
from mlharness.runner.pipeline import Pipeline
from mlharness.runner.responses import ResponseWriter, make_writer, write_checked
from mlharness.tensors import fixed_batch

LOOK_EVERY_NS = 1_000_000_000
"""How long outputs may go unlooked at: what is not finite is found within about this time."""
Form: TypeAlias = tuple[Any, ...]
Note: TypeAlias = tuple[int, int, int, int, int, Sequence[int], list[int]]
"""A batch, for a trace: when it began, predict began and ended, completion began and ended; its ids and indices."""


class Worker:
    """One predictor and what it needs to answer.

    Args:
        number: which instance this is, for messages.
        predictor: loaded by the thread that will call :meth:`answer`.
        library: the loaded samples.
        postprocess: the timed steps.
        plan: says the batch size and the response.
        counters: shared memory; slot ``number`` counts completed samples.
        busy: shared memory; slot ``number`` says since when, and with what, the worker is busy.
    """

    def __init__(
        self,
        number: int,
        predictor: Predictor,
        library: SampleLibrary,
        postprocess: Pipeline,
        plan: RunPlan,
        counters: memoryview,
        busy: memoryview,
    ) -> None:
        self.number = number
        self.inputs = predictor.inputs
        self.predict_ns = self.postprocess_ns = self.harness_ns = self.after_ns = self.batches = 0
        self.complete: Callable[[list[loadgen.Response]], None] = _drop
        self._predictor = predictor
        self._predict = predictor.predict
        self._library = library
        self._on_batch = postprocess.batch_function()
        self._plan = plan
        self._counters, self._busy = counters, busy[number : number + 1]
        self._buffers: list[Array] = []
        self._alone: Mapping[int, dict[str, Array]] = {}
        self._gather = library.gather
        self.answer: Callable[[Sequence[int], list[int]], None] = self._answer_batch
        """Compute and complete these samples: ids and indices of one query, or of part of one."""
        self._writer: ResponseWriter | None = None
        self._write, self._check_rows = _write_nothing, _check_nothing
        self._marks_postprocess = not postprocess.of_the_kernel
        """The steps of the kernel itself end: only where others work need the parent know that they do."""
        self._forms: set[Form] = set()
        """Forms of outputs that have been checked and found as promised."""
        self._note: Callable[[Note], None] | None = None
        """Takes each batch, in a traced run."""
        self._look_at, self._look_after_ns = 1, 0
        self._last: tuple[list[Array], Sequence[int]] | None = None
        self.spans: Sequence[Any] = ()
        """What the predictor gave when it was closed."""

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """The predictor's outputs; some know them only once they have been called."""
        return self._predictor.outputs

    def warm_up(self, indices: Sequence[int]) -> None:
        """Answer one batch to nobody, and check every promise: outputs, their shapes and dtypes, finite values.

        The response's form is learnt here when no metric fixes it.
        """
        outputs = self.outputs_of(indices)
        self._check(outputs, indices)
        rows = self._on_batch(outputs, list(indices))
        writer = self._writer or make_writer(self._plan, rows, self._plan.batching.batch_size)
        write_checked(writer, rows, range(len(indices)))
        self._writer, self._write, self._check_rows = writer, writer.write, writer.check
        self._counters[self.number] += len(indices)  # a sign of life: a slow model's warm-up is no stall

    def library_changed(self) -> None:
        """The sample library holds other samples now: make buffers for them, and choose how they are gathered."""
        library = self._library
        self._buffers = library.buffers(self._plan.batching.batch_size)
        self._alone = library.alone
        self._gather = library.stack if library.ragged else library.gather
        self.answer = self._answer_groups if library.ragged else self._answer_batch

    def begin_test(self) -> None:
        """From now on samples are completed to LoadGen, and the clocks count from zero."""
        self.complete = loadgen.complete
        self.predict_ns = self.postprocess_ns = self.harness_ns = self.after_ns = self.batches = 0
        self._look_at, self._look_after_ns, self._last = 1, 0, None

    def outputs_of(self, indices: Sequence[int]) -> list[Array]:
        """The predictor's outputs for loaded samples, without postprocessing, completed to nobody."""
        self._busy[0] = perf_counter_ns() & ~1
        try:
            outputs = self._predict(self._gather(indices, self._buffers))
        except PLUGIN_RAISES as error:
            raise self._predict_failure(indices, error) from error
        self._busy[0] = 0
        return outputs

    def complexity(self, measure: MeasureComplexity | None) -> Complexity | None:
        """How large the model is, as its framework counts it; None when it cannot say."""
        if measure is None:
            return None
        batch = self._gather([0] * (fixed_batch(self.inputs[0]) or 1), self._buffers)
        with blaming(self._plan.framework.plugin, "counting parameters and multiply-adds"):
            return measure(self._predictor, batch)

    def _answer_groups(self, ids: Sequence[int], indices: list[int]) -> None:
        """Ragged samples, in batches of equal shapes."""
        pairs = sorted(zip(ids, indices, strict=True), key=lambda pair: self._library.shape_key(pair[1]))
        for _, group in groupby(pairs, key=lambda pair: self._library.shape_key(pair[1])):
            same_ids, same_indices = zip(*group, strict=True)
            self._answer_batch(same_ids, list(same_indices))

    def _answer_batch(self, ids: Sequence[int], indices: list[int]) -> None:
        # After a model has run, every cache is cold, and a line costs ten times what it costs alone: so whatever can
        # wait is done after the samples were completed, and stands in no latency.
        start = perf_counter_ns()
        self._busy[0] = start & ~1
        if len(indices) == 1 and self._alone:
            batch = self._alone[indices[0]].copy()  # the predictor may do with it as it likes
        else:
            batch = self._gather(indices, self._buffers)
        gathered = perf_counter_ns()
        try:
            outputs = self._predict(batch)
        except PLUGIN_RAISES as error:
            raise self._predict_failure(indices, error) from error
        predicted = perf_counter_ns()
        if self._marks_postprocess:
            self._busy[0] = start | 1
        rows: Array | list[Array] | None = None
        try:
            rows = self._on_batch(outputs, indices)
            processed = perf_counter_ns()
            self.complete(self._write(rows, ids))
        except Exception:
            self._check_form(outputs, indices)  # what is wrong with the outputs is told before what it led to
            if rows is not None:
                self._check_rows(rows)
            raise
        completed = perf_counter_ns()
        if form_of(outputs) not in self._forms:
            self._check_form(outputs, indices)
        self._check_rows(rows)
        self.batches += 1
        self._last = (outputs, indices)
        if self.batches == self._look_at or processed > self._look_after_ns:
            self._look(processed)
        self.predict_ns += predicted - gathered
        self.postprocess_ns += processed - predicted
        self._counters[self.number] += len(ids)
        self._busy[0] = 0
        now = perf_counter_ns()
        self.harness_ns += gathered - start + now - processed
        self.after_ns += now - completed
        if self._note is not None:
            self._note((start, gathered, predicted, processed, completed, ids, indices))

    def check_last(self) -> None:
        """Raise RunError when the last outputs of the test were not what was promised."""
        if self._last is not None:
            self._check(*self._last)

    def _look(self, now_ns: int) -> None:
        """Look whether the outputs just answered are finite: often in the beginning, then once in a while.

        At once and not after the test, since a predictor may use its memory again for the next batch.
        """
        self._look_at = self.batches + self.batches // 2 + 1
        self._look_after_ns = now_ns + LOOK_EVERY_NS
        self.check_last()

    def close(self) -> None:
        """Close the predictor."""
        with blaming(self._plan.framework.plugin, f"closing instance {self.number}"):
            self.spans = self._predictor.close()

    def _check_form(self, outputs: list[Array], indices: Sequence[int]) -> None:
        """As :meth:`_check`, but for the values; what is as promised is not looked at again."""
        with self._naming(indices):
            check_outputs(
                outputs, self._predictor.outputs, self._plan.model.outputs, len(indices), takes_one(self.inputs)
            )
        self._forms.add(form_of(outputs))

    def _check(self, outputs: list[Array], indices: Sequence[int]) -> None:
        """Raise RunError, naming plugin, instance and samples, unless the outputs are what was promised."""
        self._check_form(outputs, indices)
        if not self._plan.model.allow_non_finite:
            with self._naming(indices):
                check_finite(outputs, self._predictor.outputs)

    @contextmanager
    def _naming(self, indices: Sequence[int]) -> Iterator[None]:
        try:
            yield
        except RunError as error:
            where = f"{self._plan.framework.plugin}: instance {self.number} on samples {list(indices)[:8]}"
            raise RunError(f"{where}: {error.message}", error.remedy) from error

    def _predict_failure(self, indices: Sequence[int], error: BaseException) -> RunError:
        return RunError(
            f"{self._plan.framework.plugin}: predict failed in instance {self.number} on samples "
            f"{list(indices)[:8]}: {type(error).__name__}: {error}",
            "The run directory's runner.log has the trace.",
        )


def form_of(outputs: object) -> Form:
    """Kind, number, shapes and dtypes of what predict returned: all that can be told without looking at values."""
    if type(outputs) is not list:
        return (type(outputs),)
    return tuple([(type(output), getattr(output, "shape", None), getattr(output, "dtype", None)) for output in outputs])


def takes_one(inputs: Sequence[TensorSpec]) -> bool:
    """True for a model that takes one sample at a time: the batch axis of each input is fixed at 1."""
    return bool(inputs) and all(fixed_batch(spec) == 1 for spec in inputs)


def check_outputs(
    outputs: object,
    predictor: Sequence[TensorSpec],
    manifest: Sequence[TensorSpec],
    count: int,
    one: bool = False,
) -> None:
    """Raise RunError unless the outputs are what the predictor and the manifest promise, for ``count`` samples.

    ``one`` says that the model takes one sample at a time: it may leave the batch axis out, as detectors do that give
    a row for each thing they find, so that an output has as many rows as its own first axis says, if that is not 1.
    """
    if not isinstance(outputs, list) or not all(isinstance(output, np.ndarray) for output in outputs):
        raise RunError(f"predict returns {type(outputs).__name__}, and must return a list of NumPy arrays")
    for promised, by in ((predictor, "the predictor"), (manifest, "the manifest")):
        if promised and len(outputs) != len(promised):
            raise RunError(f"predict gives {len(outputs)} outputs, and {by} declares {len(promised)}")
        for output, spec in zip(outputs, promised, strict=bool(promised)):
            check_output(output, spec, by, fixed_batch(spec) if one and fixed_batch(spec) != 1 else count)


def check_output(output: Array, spec: TensorSpec, by: str, count: int | None) -> None:
    """Raise RunError unless one output has dtype and shape as declared, and ``count`` rows (None: any number)."""
    if spec.dtype and output.dtype != np.dtype(spec.dtype):
        raise RunError(f"output {spec.name!r} is {output.dtype}, and {by} declares {spec.dtype}")
    fits = len(spec.shape) == output.ndim and all(
        size in (None, real) for size, real in zip(spec.shape[1:], output.shape[1:], strict=True)
    )
    if spec.shape and not fits:
        raise RunError(f"output {spec.name!r} has the shape {list(output.shape)}, and {by} declares {list(spec.shape)}")
    if count is not None and output.shape[0] != count:
        raise RunError(f"output {spec.name!r} has {output.shape[0]} rows for a batch of {count}")


def check_finite(outputs: Sequence[Array], specs: Sequence[TensorSpec]) -> None:
    """Raise RunError for NaN or infinity."""
    for output, spec in zip(outputs, specs, strict=True):
        if output.dtype.kind in "fc" and not np.isfinite(output).all():
            raise RunError(
                f"output {spec.name!r} is not finite",
                "Set allow_non_finite: true in the manifest when the model means it.",
            )


def _check_nothing(rows: Array | Sequence[Array]) -> None:
    """Stands where :meth:`Worker.warm_up` puts the writer's own check."""


def _write_nothing(rows: Array | Sequence[Array], ids: Sequence[int]) -> list[loadgen.Response]:
    """Stands where :meth:`Worker.warm_up` puts the writer."""
    raise AssertionError("no batch was answered to nobody first")


def _drop(responses: list[loadgen.Response]) -> None:
    """Completes nothing: what workers call before LoadGen's test and in calibration."""
