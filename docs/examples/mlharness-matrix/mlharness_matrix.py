"""A framework for models that are one matrix, a step, and an observer: a complete plugin of mlharness."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlharness import hookimpl
from mlharness.errors import UserError
from mlharness.payloads import RunFinished
from mlharness.providers import Array, Arrays, Context, Model, Option, StepFunction, TensorSpec
from mlharness.registrars import FrameworkRegistrar, StepRegistrar


class MatrixPredictor:
    """Multiplies float32 rows by a float32 matrix [features, classes]."""

    def __init__(self, matrix: Array) -> None:
        features, classes = matrix.shape
        self._matrix = matrix
        self.inputs: Sequence[TensorSpec] = (TensorSpec("x", "float32", (None, features)),)
        self.outputs: Sequence[TensorSpec] = (TensorSpec("y", "float32", (None, classes)),)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """One output: [batch, classes] float32."""
        return [batch["x"] @ self._matrix]

    def close(self) -> Sequence[Any]:
        """Nothing to free."""
        return ()


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> MatrixPredictor:
    """Read the matrix from the model's first file, a CSV without a heading."""
    if device != "cpu":
        raise UserError(f"the matrix framework has no device {device!r}", "Use --device cpu.")
    matrix = np.loadtxt(model.files[0], delimiter=",", ndmin=2, dtype=np.float32)
    return MatrixPredictor(matrix * np.float32(options["factor"]))


def make_centre(middle: float) -> StepFunction:
    """Sample step: subtract ``middle`` from the first array; any dtype and shape -> float32, same shape."""

    def centre(arrays: Arrays, context: Context) -> Arrays:
        return (np.subtract(arrays[0], np.float32(middle), dtype=np.float32), *arrays[1:])

    return centre


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    """The framework ``matrix``."""
    factor = Option("factor", "number", "What the matrix is multiplied by when it is loaded.", default=1.0)
    registrar.framework("matrix", load=load, version=lambda: "1.0", options=(factor,))


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The step ``matrix.centre``."""
    middle = Option("middle", "number", "What becomes zero.", required=True)
    registrar.step("matrix.centre", make_centre, parameters=(middle,))


@hookimpl
def mlh_on_run_finished(finished: RunFinished) -> None:
    """Say on stderr how a run ended."""
    print(f"matrix: {finished.result['model']['name']} is {finished.result['status']}", file=sys.stderr)
