"""A matrix as a predictor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Model, TensorSpec


class MatrixPredictor:
    """Multiplies rows, float32 [batch, features], by a matrix, float32 [features, classes]."""

    def __init__(self, matrix: Array) -> None:
        features, classes = matrix.shape
        self._matrix = matrix
        self.inputs: Sequence[TensorSpec] = (TensorSpec("x", "float32", (None, features)),)
        self.outputs: Sequence[TensorSpec] = (TensorSpec("y", "float32", (None, classes)),)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """One output: float32 [batch, classes]."""
        return [batch["x"] @ self._matrix]

    def close(self) -> Sequence[Any]:
        """Nothing to free, and no spans."""
        return ()


def load_matrix(model: Model, device: str, factor: float) -> MatrixPredictor:
    """Read a CSV file without a heading. Raises UserError for another device, and for a file that is no matrix."""
    if device != "cpu":
        raise UserError(f"the framework example has no device {device!r}", "Use --device cpu.")
    if not model.files:
        raise UserError(f"{model.name}: the manifest names no model file", "Add a .csv file under model.files.")
    try:
        matrix = np.loadtxt(model.files[0], delimiter=",", ndmin=2, dtype=np.float32)
    except (OSError, ValueError) as error:
        raise UserError(f"{model.files[0].name} is no matrix: {error}", "It must be CSV without a heading.") from error
    return MatrixPredictor(matrix * np.float32(factor))
