"""Tiny models, made on the spot. TensorFlow's process-wide settings are fixed before any of them is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_tensorflow import plugin
from mlharness_tensorflow.predictor import TensorFlowPredictor
from mlharness_tensorflow.process import import_tensorflow, settings_for, settle

from mlharness.options import resolve_options
from mlharness.providers import Model, TensorSpec

Load = Callable[..., TensorFlowPredictor]

SETTINGS = {"intra_op_num_threads": 1}
settle(settings_for("cpu", SETTINGS))
tf = import_tensorflow()

WEIGHTS = np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32)
BIAS = np.array([0.5, -0.5, 0.25], np.float32)


@pytest.fixture
def load() -> Load:
    """``load(path, device, inputs, outputs, attributes, **options)``, with options checked as the kernel does."""

    def load_it(
        path: Path,
        device: str = "cpu",
        inputs: tuple[TensorSpec, ...] = (),
        outputs: tuple[TensorSpec, ...] = (),
        attributes: dict[str, Any] | None = None,
        **options: Any,
    ) -> TensorFlowPredictor:
        resolved = resolve_options("framework 'tensorflow'", plugin.OPTIONS, {**SETTINGS, **options})
        predictor = plugin.load(Model("tiny", (path,), inputs, outputs, attributes or {}), device, resolved)
        assert isinstance(predictor, TensorFlowPredictor)
        return predictor

    return load_it


class Linear(tf.Module):  # type: ignore[misc, name-defined]  # TensorFlow has no types
    """x [batch, 4] -> y = x @ WEIGHTS + BIAS and z = relu(y), with a variable that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.weights, self.bias = tf.Variable(WEIGHTS), tf.Variable(BIAS)
        self.steps = tf.Variable(np.zeros(3, np.float32), trainable=False)

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def serve(self, x: Any) -> dict[str, Any]:
        y = tf.matmul(x, self.weights) + self.bias + self.steps
        return {"y": y, "z": tf.nn.relu(y)}


def save_linear(folder: Path) -> Path:
    """The SavedModel of :class:`Linear`."""
    path, module = folder / "linear", Linear()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    return path


def freeze_linear(folder: Path) -> Path:
    """The frozen graph of :class:`Linear`, made as a user of TensorFlow 2 makes it; outputs Identity and Identity_1."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    module = Linear()
    function = convert_variables_to_constants_v2(module.serve.get_concrete_function())
    tf.io.write_graph(function.graph, str(folder), "linear.pb", as_text=False)
    return folder / "linear.pb"


def save_keras(folder: Path) -> Path:
    """A ``.keras`` file: one dense layer, one batch normalisation, a rectifier."""
    from mlharness_tensorflow.process import import_keras

    keras = import_keras()
    keras.utils.set_random_seed(5)
    x = keras.Input((6,), name="x")
    y = keras.layers.BatchNormalization()(keras.layers.Dense(3)(x))
    keras.Model(x, keras.layers.ReLU(name="y")(y)).save(folder / "linear.keras")
    return folder / "linear.keras"


@pytest.fixture
def saved_model(tmp_path: Path) -> Path:
    return save_linear(tmp_path)


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    return freeze_linear(tmp_path)


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    return save_keras(tmp_path)
