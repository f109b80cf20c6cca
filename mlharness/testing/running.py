"""Runs a manifest in this process, with the runner's own parts and a fake LoadGen that only collects responses."""

from __future__ import annotations

import ctypes
import types
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlharness.builtin.inline_code import new_module
from mlharness.choices import Choices
from mlharness.errors import UserError
from mlharness.manifest.documents import ModelManifest
from mlharness.manifest.files import resolve
from mlharness.manifest.library import ManifestLibrary
from mlharness.plan import RunPlan
from mlharness.planning import make_plan
from mlharness.plugins import Plugins, build_manager
from mlharness.providers import Array, DataSet, ResponseSpec, Score
from mlharness.registrars import Catalog
from mlharness.request import dataset_of, on_framework, unpack
from mlharness.runner import loadgen
from mlharness.runner.executors import Executor, make_executor
from mlharness.runner.library import SampleLibrary
from mlharness.runner.opening import binding_inputs, labels_of, load_predictor, open_dataset
from mlharness.runner.pipeline import bind, opens_samples
from mlharness.runner.score import apply, decode
from mlharness.runner.worker import Worker
from mlharness.tensors import settle

_SAMPLES_PER_QUERY = {"SingleStream": 1, "MultiStream": 8, "Server": 1}
"""Offline has one query of all samples."""


@dataclass(frozen=True)
class InProcessRun:
    """What a run left: its plan, the bytes of each response by sample index, and what is needed to read them."""

    plan: RunPlan
    responses: Mapping[int, bytes]
    dataset: DataSet
    catalog: Catalog

    def row(self, index: int, dtype: str = "", shape: Sequence[int | None] = (None,)) -> Array:
        """One response as an array: of the metric's dtype and row shape, or of those given when there is no metric."""
        spec = self._spec() if not dtype else ResponseSpec(dtype, tuple(shape))
        return decode(self.responses[index].hex(), spec, index)

    def score(self) -> Score:
        """The manifest's metric over the responses. Raises UserError when the manifest names none."""
        metric = self.plan.metric
        if metric is None:
            raise UserError(f"the manifest of {self.plan.model.name!r} names no metric", "Add metric: {name: top1}.")
        rows = {index: self.row(index) for index in self.responses}
        return apply(self.plan, metric, self.catalog, rows, labels_of(self.dataset, self.plan), new_module())

    def _spec(self) -> ResponseSpec:
        if self.plan.metric is None:
            raise UserError("without a metric nothing says what the responses are", "Give row() a dtype and a shape.")
        return self.plan.metric.response


def run_in_process(
    manifest: str | Path, *, samples: Sequence[int] | None = None, plugins: Plugins | None = None, **choices: Any
) -> InProcessRun:
    """Load a manifest's model and answer samples with it, by the runner's own sample library, workers and executors.

    The manifest's own Python is executed without asking for trust, and files that are missing are fetched.

    Args:
        manifest: a name or a path.
        samples: indices into the data set; None means every sample.
        plugins: those to use; None means all that are installed.
        choices: what ``mlh bench`` would be given, as fields of :class:`mlharness.choices.Choices`.

    Raises:
        UserError: the manifest, a choice, a file or the environment is wrong.
        RunError: preprocessing, predictor or postprocessing failed, as they would fail a run.
    """
    found = plugins or build_manager()
    plan = plan_of(str(manifest), Choices(**choices), found)
    namespace = new_module()
    dataset = open_dataset(plan, found, namespace)
    indices = range(len(dataset)) if samples is None else samples
    responses: dict[int, bytes] = {}
    with executor_of(plan, dataset, found, namespace) as (executor, library):
        prepare(executor, library, plan, indices)
        collect = partial(_collect, responses, indices)
        for worker in executor.workers:
            worker.complete = collect
        executor.serve()
        for ids in queries(plan.test.scenario, len(indices)):
            executor.issue(list(ids), [indices[place] for place in ids])
        executor.finish()
        for worker in executor.workers:
            worker.check_last()
    return InProcessRun(plan, responses, dataset, found.catalog)


def plan_of(name: str, choices: Choices, plugins: Plugins) -> RunPlan:
    """The plan of a manifest, its files brought here. Raises UserError as ``mlh bench`` does."""
    library = ManifestLibrary(plugins.catalog)
    model = on_framework(library.model(name), choices.framework, plugins.catalog)
    dataset = choices.dataset or dataset_of(model)
    if not dataset:
        raise UserError(f"the manifest of {model.name} names no data set", "Give one: dataset=NAME.")
    located = locate_files(model, plugins.catalog, choices.allow_http)
    files = [unpack(wish, path) for wish, path in zip(model.files, located, strict=True)]
    return make_plan(model, library.dataset(dataset), choices, plugins.catalog, files)


def locate_files(model: ModelManifest, catalog: Catalog, allow_http: bool = False) -> list[Path]:
    """The model's files, fetched when they are not here. Raises UserError for one that cannot be had."""
    base = model.origin.path.parent
    found = [
        resolve(wish.source, base, wish.checksum, catalog, fetch=True, allow_http=allow_http) for wish in model.files
    ]
    return [path for path in found if path is not None]


@contextmanager
def executor_of(
    plan: RunPlan, dataset: DataSet, plugins: Plugins, namespace: types.ModuleType | None = None
) -> Iterator[tuple[Executor, SampleLibrary]]:
    """An executor with its predictors loaded and its library empty; both are closed afterwards, threads included.

    ``namespace`` is the module that the Python of the plan's manifests shares; None makes a new one.
    """
    framework = plugins.catalog.frameworks.find(plan.framework.name).provider
    preprocess, postprocess = bind(plan, plugins.catalog, namespace)
    library = SampleLibrary(dataset, preprocess, len(plan.host.cores), raw=not opens_samples(plan))
    counters = memoryview(array("q", [0] * plan.host.instances))
    busy = memoryview(array("q", [0] * plan.host.instances))

    def make_worker(number: int) -> Worker:
        return Worker(number, load_predictor(framework, plan), library, postprocess, plan, counters, busy)

    executor = make_executor(plan, library, make_worker, _raise)
    try:
        library.expect(settle(binding_inputs(plan), executor.workers[0].inputs) or executor.workers[0].inputs)
        yield executor, library
    finally:
        executor.close()


def prepare(executor: Executor, library: SampleLibrary, plan: RunPlan, indices: Sequence[int]) -> None:
    """Hold the samples ready, and warm up with the first batch of them, which checks every promise of the plan."""
    library.load(indices)
    executor.each(Worker.library_changed)
    batch = list(indices)[: 1 if library.ragged else plan.batching.batch_size]
    executor.each(partial(Worker.warm_up, indices=batch))


def queries(scenario: str, count: int) -> Iterator[range]:
    """The places 0 to ``count``, in the queries that a scenario has: in order, where LoadGen would choose at random."""
    size = _SAMPLES_PER_QUERY.get(scenario, count)
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


def _collect(responses: dict[int, bytes], indices: Sequence[int], completed: list[loadgen.Response]) -> None:
    """What is told to LoadGen otherwise. The bytes are copied now: the buffers are used again for the next batch."""
    for response in completed:
        responses[indices[response.id]] = ctypes.string_at(response.data, response.size)


def _raise(error: BaseException) -> None:
    """Ends the call that failed, where a runner would end its process."""
    raise error
