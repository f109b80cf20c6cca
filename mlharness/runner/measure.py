"""The verb *measure*: one LoadGen test, from the plan to LoadGen's log files."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from mlharness.builtin.inline_code import new_module
from mlharness.plan import RunPlan
from mlharness.plugins import Plugins
from mlharness.providers import TensorSpec
from mlharness.runner import loadgen
from mlharness.runner.calibration import calibrate
from mlharness.runner.channel import COUNTERS, PATIENT_S, STALL_S, Channel
from mlharness.runner.executors import Executor, make_executor
from mlharness.runner.fingerprint import SAMPLES as FINGERPRINT_SAMPLES
from mlharness.runner.fingerprint import fingerprint
from mlharness.runner.job import Calibration, Job
from mlharness.runner.library import SampleLibrary, check_memory
from mlharness.runner.opening import binding_inputs, labels_of, load_predictor, open_dataset
from mlharness.runner.pipeline import Pipeline, bind, opens_samples
from mlharness.runner.worker import Worker
from mlharness.tensors import settle

SWITCH_INTERVAL_S = 0.0005
"""The interpreter's switch interval: LoadGen's issuing thread waits no longer than this for a worker's Python code."""

WARMUP_SAMPLES = 64
WARMUP_BYTES = 1 << 28
"""How many samples, and how much memory, warm-up and calibration use; LoadGen loads its own set afterwards."""

DEFAULT_PERFORMANCE_SAMPLES = 1024


class Measurement:
    """One test in the making: data set, library, executor, and the callbacks that LoadGen is given."""

    def __init__(self, job: Job, plugins: Plugins, channel: Channel) -> None:
        self.job, self.plan, self.plugins, self.channel = job, job.need_plan(), plugins, channel
        namespace = new_module()
        self.located: dict[str, str] = {}
        """Where the files of the data set are, by the sources that name them."""
        self.dataset = open_dataset(self.plan, plugins, namespace, self.located)
        if job.accuracy:
            # Now, and not after an hour of answers: too few labels lack the last one.
            labels_of(self.dataset, self.plan)(len(self.dataset) - 1)
        self.framework = plugins.catalog.frameworks.find(self.plan.framework.name).provider
        self.expected_s: float | None = None
        self.stall_s = STALL_S
        self.samples_per_query = 1
        self.loaded = 0
        self.duration_s = 0.0
        self._began = 0.0
        self._preprocess, self._postprocess = bind(self.plan, plugins.catalog, namespace)
        asked = loadgen.performance_samples(self.plan) or DEFAULT_PERFORMANCE_SAMPLES
        self.performance_samples = min(len(self.dataset), asked)
        """How many samples LoadGen will have loaded at once."""
        self.printed = min(FINGERPRINT_SAMPLES, self.performance_samples)
        """How many samples the fingerprint covers: no more than will be in memory anyway, if they are large."""

    def load(self) -> None:
        """Load the predictors, each on its worker's thread, and make the library for their inputs."""
        called = f"{self.plan.dataset.plugin}: the data set {self.plan.dataset.name!r}"
        threads = len(self.plan.host.cores)
        raw = not opens_samples(self.plan)
        self.library = SampleLibrary(self.dataset, self._preprocess, threads, self._sample_loaded, called, raw)
        self.executor: Executor = make_executor(self.plan, self.library, self.make_worker, self.channel.fail)
        found = self.executor.workers[0].inputs
        self.library.expect(settle(binding_inputs(self.plan), found) or found)

    def make_worker(self, number: int) -> Worker:
        """The worker of an instance, on the thread that calls this."""
        return Worker(number, load_predictor(self.framework, self.plan), *self.parts())

    def parts(self) -> tuple[SampleLibrary, Pipeline, RunPlan, memoryview, memoryview]:
        """What every worker has in common."""
        return self.library, self._postprocess, self.plan, self.channel.counters, self.channel.busy

    def warm_up(self) -> Sequence[int]:
        """Load a few samples and answer them to nobody; returns their indices.

        Raises UserError when the memory cannot hold all the samples that LoadGen will ask for.
        """
        self.library.load((0,))
        check_memory(self.library.sample_bytes, self.performance_samples)
        affordable = max(WARMUP_BYTES // max(1, self.library.sample_bytes), self.plan.batching.batch_size, self.printed)
        samples = range(min(len(self.dataset), max(WARMUP_SAMPLES, self.plan.batching.batch_size), affordable))
        self.library.load(samples)
        self.executor.each(Worker.library_changed)
        batch = samples[: 1 if self.library.ragged else self.plan.batching.batch_size]
        for _ in range(max(1, self.plan.warmup)):
            self.executor.each(partial(Worker.warm_up, indices=list(batch)))
        return samples

    def calibrate(self, samples: Sequence[int]) -> Calibration:
        """A new calibration, or the one that the job brought."""
        if self.job.calibration is not None:
            return self.job.calibration
        self.executor.serve()
        found = calibrate(self.executor, samples, self.plan.test.scenario, loadgen.samples_per_query(self.plan))
        self.executor.finish()
        return found

    def run(self, settings: Any) -> None:
        """LoadGen's test."""
        counts = (len(self.dataset), self.performance_samples)
        self.executor.each(lambda worker: worker.begin_test())
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self.test(settings, counts)
        finally:
            gc.enable()
        self.duration_s = perf_counter() - self._began
        self.executor.finish()
        for worker in self.executor.workers:
            worker.check_last()

    def test(self, settings: Any, counts: tuple[int, int], issue: loadgen.Issue | None = None) -> None:
        """The very test; ``issue`` stands before the executor's own."""
        loadgen.run_test(
            settings, issue or self.executor.issue, self._load_samples, self._unload_samples, counts,
            Path(self.job.directory), self.plan.host.audit_conf, trace=self.job.trace is not None,
        )  # fmt: skip

    def close(self) -> None:
        """Close the predictors, and end their threads."""
        self.executor.close()

    def harness_cost(self) -> dict[str, float]:
        """What the workers' clocks added up: totals in seconds, and the samples that they completed."""
        workers = self.executor.workers
        return {
            "predict_s": sum(worker.predict_ns for worker in workers) / 1e9,
            "postprocess_s": sum(worker.postprocess_ns for worker in workers) / 1e9,
            "harness_s": sum(worker.harness_ns for worker in workers) / 1e9,
            "after_s": sum(worker.after_ns for worker in workers) / 1e9,
            "batches": sum(worker.batches for worker in workers),
            "samples": sum(self.channel.counters[slot] for slot in range(COUNTERS)),
        }

    def _load_samples(self, indices: Sequence[int]) -> None:
        try:
            self.channel.phase("samples", f"{len(indices)} samples", total=len(indices))
            self.loaded = max(self.loaded, len(set(indices)))  # MultiStream pads the set with samples of its own
            self.executor.finish()
            self.library.load(indices)
            self.executor.each(Worker.library_changed)
            self.executor.serve()
            mode = "accuracy" if self.job.accuracy else "performance"
            total = len(indices) if self.job.accuracy else None
            detail = f"{self.plan.test.scenario}, {mode}"
            if self.plan.test.scenario == "MultiStream":  # progress counts samples
                detail += f", {self.samples_per_query} samples a query"
            self.channel.phase("measure", detail, self.expected_s, total, self.stall_s)
            self._began = self._began or perf_counter()
        except BaseException as error:  # noqa: BLE001  # nothing may reach LoadGen, which would abort the process
            self.channel.fail(error)

    def _unload_samples(self, indices: Sequence[int]) -> None:
        try:
            self.executor.finish()
            self.library.unload(indices)
        except BaseException as error:  # noqa: BLE001  # nothing may reach LoadGen, which would abort the process
            self.channel.fail(error)

    def _sample_loaded(self, done: int) -> None:
        self.channel.counters[0] = done


def measure(job: Job, plugins: Plugins, channel: Channel) -> None:
    """Run one LoadGen test; the parent learns of it by messages, and of its figures from LoadGen's logs."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    plan = job.need_plan()
    channel.phase("load", f"{plan.framework.name} on {plan.framework.device}", stall_s=PATIENT_S)
    work = measurement(job, plugins, channel)
    work.load()
    channel.phase("warmup")
    samples = work.warm_up()
    printed = work.executor.first(partial(fingerprint, samples=work.printed))
    complexity = work.executor.first(partial(Worker.complexity, measure=work.framework.complexity))
    channel.phase("calibrate")
    calibration = work.calibrate(samples)
    settings = loadgen.settings(plan, job.accuracy, calibration)
    settings.performance_sample_count_override = work.performance_samples
    if not job.accuracy:
        work.expected_s = loadgen.expected_seconds(settings, plan.test.scenario, calibration)
    work.stall_s = stall_limit(plan, calibration)
    work.samples_per_query = settings.multi_stream_samples_per_query
    channel.send(
        "prepared",
        calibration=asdict(calibration),
        settings=loadgen.describe(settings),
        framework_version=work.framework.version(),
        dataset_count=len(work.dataset),
        data=sorted(work.located),
        switch_interval_s=SWITCH_INTERVAL_S,
        fingerprint=printed,
        remarks=shape_remarks(plan.model.inputs, work.library.sample_shapes),
        complexity=complexity and asdict(complexity),
    )
    work.library.unload(samples)
    work.run(settings)
    cost = work.harness_cost()
    work.close()
    channel.send("measured", loaded=work.loaded, duration_s=work.duration_s, cost=cost)


def measurement(job: Job, plugins: Plugins, channel: Channel) -> Measurement:
    """A plain measurement, which holds no code of tracing, or a traced one."""
    if job.trace is None:
        return Measurement(job, plugins, channel)
    from mlharness.runner.traced import TracedMeasurement

    return TracedMeasurement(job, plugins, channel)


def shape_remarks(declared: Sequence[TensorSpec], shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """Where preprocessing gives another shape than the manifest declares, which only published manifests may."""
    return [
        f"preprocess gives {list(shape)} for input {spec.name!r}, and the manifest declares {list(spec.shape[1:])}: "
        "shapes in the published format are descriptions"
        for spec, shape in zip(declared, shapes, strict=False)  # what is missing has been told already
        if spec.shape
        and (
            len(shape) != len(spec.shape) - 1
            or any(size not in (None, real) for size, real in zip(spec.shape[1:], shape, strict=True))
        )
    ]


def stall_limit(plan: RunPlan, calibration: Calibration) -> float:
    """Seconds without a completed sample after which LoadGen's test is stalled: 20 calibrated batches, 60 at least."""
    batch_s = plan.batching.batch_size * plan.host.instances / calibration.samples_per_second
    between_s = 1 / plan.test.target_qps if plan.test.target_qps else 0.0
    return max(STALL_S, 20 * max(batch_s, between_s, calibration.query_latency_ns / 1e9))
