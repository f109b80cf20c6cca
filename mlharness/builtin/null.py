"""The null framework and data set: they answer at once, and so show what mlharness itself costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlharness import hookimpl
from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Model, Option, TensorSpec
from mlharness.registrars import DataSetRegistrar, FrameworkRegistrar


class NullPredictor:
    """Gives zeros of the declared outputs, of memory that it allocated when it was loaded."""

    def __init__(self, model: Model, largest_batch: int) -> None:
        if not model.inputs or not model.outputs:
            raise UserError(f"{model.name}: the null framework needs declared inputs and outputs", "Add both.")
        for spec in (*model.inputs, *model.outputs):
            if not spec.dtype or not spec.shape:
                raise UserError(f"{model.name}: the null framework does not know {spec.name!r}", "Add dtype and shape.")
        self.inputs: Sequence[TensorSpec] = model.inputs
        self.outputs: Sequence[TensorSpec] = model.outputs
        self._first = model.inputs[0].name
        self._zeros = [
            np.zeros((largest_batch, *(size or 1 for size in spec.shape[1:])), spec.dtype) for spec in model.outputs
        ]

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """Zeros, one row per sample."""
        count = len(batch[self._first])
        return [zeros[:count] for zeros in self._zeros]

    def close(self) -> Sequence[Any]:
        """Nothing to free."""
        return ()


def load_null(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> NullPredictor:
    """Load the null predictor; there is only the CPU."""
    if device != "cpu":
        raise UserError(f"the null framework has no device {device!r}", "Use --device cpu.")
    return NullPredictor(model, options["largest_batch"])


class NullDataSet:
    """Samples of zeros, float32, all the same; every label is 0."""

    def __init__(self, count: int, shape: Sequence[int]) -> None:
        self._count = count
        self._sample = np.zeros(tuple(shape), np.float32)

    def __len__(self) -> int:
        return self._count

    def check(self) -> None:
        """There are no files."""

    def sample(self, index: int) -> Arrays:
        """Zeros of the option's shape, float32."""
        return (self._sample,)

    def label(self, index: int) -> int:
        """Always 0."""
        return 0


def open_null(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> NullDataSet:
    """Open the null data set."""
    return NullDataSet(options["count"] if count is None else min(count, options["count"]), options["shape"])


def null_version() -> str:
    """The null framework has no life of its own: it changes with mlharness."""
    return "1"


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    largest = Option("largest_batch", "integer", "The most samples that a batch may hold.", default=4096)
    registrar.framework("null", load=load_null, version=null_version, options=(largest,))


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    count = Option("count", "integer", "How many samples there are.", default=1024)
    shape = Option("shape", "array", "The shape of one sample.", default=(16,))
    registrar.dataset("null", open=open_null, options=(count, shape))
