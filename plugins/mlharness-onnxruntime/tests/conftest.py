"""Tiny ONNX models, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from mlharness_onnxruntime import plugin
from mlharness_onnxruntime.predictor import OnnxRuntimePredictor
from onnx import TensorProto, helper, numpy_helper

from mlharness.options import resolve_options
from mlharness.providers import Model

Tensor = tuple[str, int, Sequence[Any]]
Save = Callable[..., Path]
Load = Callable[..., OnnxRuntimePredictor]

WEIGHTS = np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32)
BIAS = np.array([0.5, -0.5, 0.25], np.float32)


@pytest.fixture(autouse=True)
def _own_user_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """``save(nodes, inputs, outputs, constants)``: the file of a model."""

    def save_it(
        nodes: Sequence[onnx.NodeProto],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        constants: Sequence[onnx.TensorProto] = (),
    ) -> Path:
        taken, given = ([helper.make_tensor_value_info(*tensor) for tensor in side] for side in (inputs, outputs))
        graph = helper.make_graph(list(nodes), "tiny", taken, given, list(constants))
        # Old enough for every onnxruntime that the plugin allows.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path = tmp_path / "tiny.onnx"
        onnx.save(model, str(path))
        return path

    return save_it


@pytest.fixture
def linear(save: Save) -> Path:
    """x [batch, 4] -> y = x @ WEIGHTS + BIAS [batch, 3], and z = relu(y), float32."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
    ]
    outputs = [(name, TensorProto.FLOAT, ["batch", 3]) for name in ("y", "z")]
    constants = [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(BIAS, "b")]
    return save(nodes, [("x", TensorProto.FLOAT, ["batch", 4])], outputs, constants)


@pytest.fixture
def load() -> Load:
    """``load(path, device, options)``, with options checked as the kernel checks them."""

    def load_it(path: Path | Sequence[Path], device: str = "cpu", **options: Any) -> OnnxRuntimePredictor:
        resolved = resolve_options("framework 'onnxruntime'", plugin.OPTIONS, options)
        files = (path,) if isinstance(path, Path) else tuple(path)
        predictor = plugin.load(Model("tiny", files), device, resolved)
        assert isinstance(predictor, OnnxRuntimePredictor)
        return predictor

    return load_it
