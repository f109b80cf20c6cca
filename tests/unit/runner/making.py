"""Small plans, data sets, predictors and channels for the tests of what surrounds them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from mlharness.plan import (
    HostPart,
    PlannedBatching,
    PlannedDataSet,
    PlannedFile,
    PlannedFramework,
    PlannedMetric,
    PlannedModel,
    PlannedStep,
    PlannedTest,
    RunPlan,
)
from mlharness.providers import Array, Arrays, ResponseSpec, TensorSpec
from mlharness.runner.channel import SHARED_BYTES, Channel
from mlharness.runner.library import SampleLibrary
from mlharness.runner.pipeline import BoundStep, Pipeline

SHA = "0123456789abcdef" * 4
X = TensorSpec("x", "float32", (None, 3))
Y = TensorSpec("y", "float32", (None, 2))
NOTHING = Pipeline("preprocess", (), {}, {})
AFTER = Pipeline("postprocess", (), {}, {})


def a_plan(
    *,
    model: dict[str, Any] | None = None,
    framework: dict[str, Any] | None = None,
    host: dict[str, Any] | None = None,
    test: dict[str, Any] | None = None,
    batching: tuple[int, int] = (4, 0),
    **fields: Any,
) -> RunPlan:
    """A complete plan; each argument changes fields of the part that it is named after."""
    plan = RunPlan(
        model=PlannedModel(
            "tiny", "1.0", SHA, "trained", "image", (PlannedFile("tiny.onnx", SHA),), (X,), (Y,), {"classes": 2}, False
        ),
        framework=PlannedFramework("null", "builtin-null", "", "cpu", {"largest_batch": 8}, None, None),
        dataset=PlannedDataSet("zeros", "1.0", "null", "builtin-null", SHA, {"count": 8}, None),
        preprocess=(PlannedStep("tensor.scale", "builtin-tensor", {"factor": 2.0}),),
        postprocess=(),
        metric=None,
        test=PlannedTest("Offline", "performance", "quick", ""),
        batching=PlannedBatching(*batching),
        warmup=1,
        host=HostPart((0, 1), 2, 1, "python", "/m/tiny.yaml", "/m/zeros.yaml", ("/m/tiny.onnx",)),
    )
    return replace(
        plan,
        model=replace(plan.model, **(model or {})),
        framework=replace(plan.framework, **(framework or {})),
        host=replace(plan.host, **(host or {})),
        test=replace(plan.test, **(test or {})),
        **fields,
    )


def a_metric(dtype: str = "float32", shape: tuple[int | None, ...] = (1,), **fields: Any) -> PlannedMetric:
    """A planned metric that reads back such rows."""
    metric = PlannedMetric("top1", "builtin-accuracy", {}, None, ResponseSpec(dtype, shape), True)
    return replace(metric, **fields)


class FakeDataSet:
    """Samples by a function of the index; keeps which were asked for."""

    def __init__(self, count: int, sample: Callable[[int], Arrays] | None = None) -> None:
        self.asked: list[int] = []
        self._count, self._sample = count, sample or row

    def __len__(self) -> int:
        return self._count

    def check(self) -> None:
        """Nothing to check."""

    def sample(self, index: int) -> Arrays:
        self.asked.append(index)
        return self._sample(index)

    def label(self, index: int) -> int:
        return index


def row(index: int) -> Arrays:
    """float32 [3] that tells its index."""
    return (np.array([index, 10 * index, 100 * index], np.float32),)


class FakePredictor:
    """Answers [sum, first] of each row; ``break_`` may spoil the outputs."""

    def __init__(self, break_: Callable[[list[Array]], Any] = lambda outputs: outputs) -> None:
        self.inputs: Sequence[TensorSpec] = (X,)
        self.outputs: Sequence[TensorSpec] = (Y,)
        self.batches: list[list[float]] = []
        self.closed = False
        self._break = break_

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        x = batch["x"]
        self.batches.append(x[:, 0].tolist())
        outputs: list[Array] = self._break([np.stack([x.sum(axis=1), x[:, 0]], axis=1)])
        return outputs

    def close(self) -> Sequence[Any]:
        self.closed = True
        return ()


def a_library(
    dataset: FakeDataSet, pipeline: Pipeline = NOTHING, threads: int = 1, inputs: Sequence[TensorSpec] = (X,)
) -> SampleLibrary:
    """A library that knows the model's inputs, with nothing loaded."""
    library = SampleLibrary(dataset, pipeline, threads)
    library.expect(inputs)
    return library


def step(call: Callable[..., Any], batch: bool = False, serial: bool = False, name: str = "fake.step") -> BoundStep:
    """A step that is only a function of its arrays."""
    return BoundStep(name, lambda arrays, context: call(*arrays), batch, serial)


@contextmanager
def a_channel() -> Iterator[tuple[Channel, Callable[[], list[dict[str, Any]]]]]:
    """A channel, and what reads the messages that were sent on it since the last call."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with tempfile.TemporaryFile() as shared:
        shared.truncate(SHARED_BYTES)

        def sent() -> list[dict[str, Any]]:
            try:
                return [json.loads(line) for line in os.read(reader, 1 << 20).splitlines()]
            except BlockingIOError:
                return []

        try:
            yield Channel(writer, shared.fileno()), sent
        finally:
            os.close(reader)
            os.close(writer)
