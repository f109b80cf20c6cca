"""The framework ``example`` holds to the contract, and computes what it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mlharness_example.predictor import load_matrix

from mlharness.providers import Model
from mlharness.testing import FrameworkConformance


def make_model(folder: Path) -> Model:
    """A model of three features and two classes."""
    file = folder / "weights.csv"
    file.write_text("1,0\n0,1\n2,2\n", "utf-8")
    return Model("small", (file,))


class TestFramework(FrameworkConformance):
    framework = "example"

    def make_model(self, folder: Path) -> Model:
        return make_model(folder)


def test_rows_are_multiplied(tmp_path: Path) -> None:
    predictor = load_matrix(make_model(tmp_path), "cpu", factor=10.0)
    (found,) = predictor.predict({"x": np.array([[1, 2, 3]], np.float32)})
    assert found.tolist() == [[70.0, 80.0]]
