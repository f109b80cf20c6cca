"""Processing steps bound to a plan: a sample's preprocessing at load, a batch's postprocessing in the timed path."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mlharness.builtin.inline_code import compile_inline, new_module, raised_at
from mlharness.builtin.inline_dataset import failing
from mlharness.errors import PLUGIN_RAISES, MlharnessError, RunError
from mlharness.manifest.files import locate_options
from mlharness.plan import PlannedStep, RunPlan
from mlharness.providers import Array, Arrays, Context, StepFunction
from mlharness.registrars import Catalog

OnBatch: TypeAlias = Callable[[Sequence[Array], list[int]], Array | list[Array]]
"""A batch's outputs and the indices of its samples, to rows."""


@dataclass(frozen=True)
class BoundStep:
    """A step ready to be called; ``batch`` says whether it takes a whole batch or one sample.

    ``plugin`` is where it comes from, for messages; empty when nobody needs to know.
    """

    name: str
    call: StepFunction
    batch: bool
    serial: bool
    plugin: str = ""


@dataclass(frozen=True)
class Pipeline:
    """The steps of one direction, in order, with the context that they are given."""

    stage: str
    steps: tuple[BoundStep, ...]
    attributes: dict[str, object]
    options: dict[str, object]
    parallel: bool = False

    @property
    def serial(self) -> bool:
        """True when samples must be processed one after another, on one thread."""
        return not self.parallel and any(step.serial for step in self.steps)

    @property
    def of_the_kernel(self) -> bool:
        """True when no step is a plugin's, nor a manifest's own Python, which the kernel only runs."""
        return all(step.plugin.startswith("builtin-") and step.name != "python" for step in self.steps)

    def context(self, indices: Sequence[int]) -> Context:
        """What the steps are told of a call."""
        return {"attributes": self.attributes, "options": self.options, "sample_indices": list(indices)}

    def on_sample(self, raw: Arrays, index: int) -> Arrays:
        """One sample through every step, without a batch axis. Raises RunError naming step and sample."""
        context = self.context((index,))
        arrays = raw
        for step in self.steps:
            try:
                if step.batch:
                    out = as_tuple(step.call(tuple(array[None] for array in arrays), context))
                    arrays = tuple(array[0] for array in out)
                else:
                    arrays = as_tuple(step.call(arrays, context))
            except PLUGIN_RAISES as error:
                raise step_failure(self.stage, step.name, step.plugin, f"sample {index}", error) from error
        return arrays

    def on_batch(self, outputs: Sequence[Array], indices: Sequence[int]) -> Array | list[Array]:
        """A batch's outputs through every step: one array with the batch axis first, or one array per sample.

        The result is what the responses are made of. Without steps it is the first output.
        """
        if not self.steps:
            return outputs[0]
        arrays: Arrays = tuple(outputs)
        context = self.context(indices)
        for step in self.steps:
            try:
                found = step.call(arrays, context) if step.batch else on_each(step, arrays, context, len(indices))
                arrays = as_tuple(found)
            except PLUGIN_RAISES as error:
                raise self._batch_failure(step, indices, error) from error
        return arrays[0] if len(arrays) == 1 else list(arrays)

    def batch_function(self) -> OnBatch:
        """What does as :meth:`on_batch`, for one thread, and faster for the one batch step that most models have.

        After a model has run every cache is cold, and a line costs ten times what it costs alone: so there is no loop,
        and what each call would make is made here.
        """
        if len(self.steps) != 1 or not self.steps[0].batch:
            return self.on_batch
        (step,), context = self.steps, self.context(())
        call = step.call

        def on_batch(outputs: Sequence[Array], indices: list[int]) -> Array | list[Array]:
            context["sample_indices"] = indices
            try:
                found = call(tuple(outputs), context)
            except PLUGIN_RAISES as error:
                raise self._batch_failure(step, indices, error) from error
            if isinstance(found, tuple):
                return found[0] if len(found) == 1 else list(found)
            return found

        return on_batch

    def _batch_failure(self, step: BoundStep, indices: Sequence[int], error: BaseException) -> RunError:
        return step_failure(self.stage, step.name, step.plugin, f"samples {list(indices)[:8]}", error)


def on_each(step: BoundStep, arrays: Arrays, context: Context, count: int) -> Arrays:
    """A step that takes one sample, on each sample of a batch; arrays of several shapes come back one per sample."""
    indices = context["sample_indices"]
    rows = [
        as_tuple(step.call(tuple(array[row] for array in arrays), {**context, "sample_indices": [indices[row]]}))
        for row in range(count)
    ]
    columns = list(zip(*rows, strict=True))
    if len(columns) == 1 and len({np.shape(row) for row in columns[0]}) > 1:
        return columns[0]
    return tuple(np.stack(column) for column in columns)


def as_tuple(result: Arrays | Array) -> Arrays:
    """Steps may return one array or a tuple of arrays."""
    return result if isinstance(result, tuple) else (result,)


def step_failure(stage: str, step: str, plugin: str, where: str, error: BaseException) -> RunError:
    """The failed run that an exception in a step is: it names the plugin, the step and the sample."""
    trace = "The run directory's runner.log has the trace."
    line = f"{found}: " if (found := raised_at(error)) else ""
    what = f"{plugin}: " * bool(plugin) + f"{line}{stage} step {step!r} failed on {where}"
    if isinstance(error, MlharnessError):
        return RunError(f"{what}: {error.message}", error.remedy or trace)
    return RunError(f"{what}: {type(error).__name__}: {error}", trace)


def opens_samples(plan: RunPlan) -> bool:
    """True when preprocessing opens the samples itself, as Python of the published manifests does."""
    return bool(plan.preprocess) and plan.preprocess[0].published


def bind(plan: RunPlan, catalog: Catalog, namespace: types.ModuleType | None = None) -> tuple[Pipeline, Pipeline]:
    """Both pipelines of a plan.

    The Python of its manifests shares one module, as its authors expect: ``namespace``, in which that of the data set
    has run already; None makes a new one.
    """
    shared = {"namespace": new_module() if namespace is None else namespace, "filename": plan.host.model_manifest}
    attributes, options = dict(plan.model.attributes), dict(plan.framework.options)
    base = Path(plan.host.model_manifest).parent

    def make(stage: str, steps: Sequence[PlannedStep]) -> Pipeline:
        bound = tuple(_bind_step(step, catalog, stage, shared, base) for step in steps)
        return Pipeline(stage, bound, attributes, options, plan.model.parallel)

    return make("preprocess", plan.preprocess), make("postprocess", plan.postprocess)


def run_blocks(plan: RunPlan, namespace: types.ModuleType) -> None:
    """Run the Python of a plan's steps in a module, for other Python of the manifest that counts on what it defines.

    Raises:
        RunError: it raises.
    """
    for step in (*plan.preprocess, *plan.postprocess):
        if step.name == "python":
            with failing(f"the Python of step {step.name!r}", plan.host.model_manifest):
                compile_inline(step.parameters["source"], plan.host.model_manifest, step.parameters["line"], namespace)


def _bind_step(step: PlannedStep, catalog: Catalog, stage: str, shared: Mapping[str, object], base: Path) -> BoundStep:
    provider = catalog.steps.find(step.name).provider
    extra = {"stage": stage, **shared} if step.name == "python" else {}
    make: Callable[..., StepFunction] = provider.make
    batch = provider.batch or (step.name == "python" and stage == "postprocess")
    try:
        call = make(**locate_options(step.parameters, provider.parameters, base, catalog), **extra)
    except MlharnessError:
        raise
    except PLUGIN_RAISES as error:
        raise step_failure(stage, step.name, step.plugin, "making it", error) from error
    return BoundStep(step.name, call, batch, provider.serial, step.plugin)
