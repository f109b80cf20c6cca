"""Models in half precision and quantised ones, against the float32 model that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import Load
from mlharness_onnxruntime import plugin
from onnx import TensorProto, helper, numpy_helper

from mlharness.providers import Array, TensorSpec

X = np.random.default_rng(6).standard_normal((4, 3, 8, 8)).astype(np.float32)
KERNELS = np.random.default_rng(7).standard_normal((8, 3, 3, 3)).astype(np.float32) / 5
BIAS = np.random.default_rng(8).standard_normal(8).astype(np.float32) / 5
MATRIX = np.random.default_rng(9).standard_normal((8, 5)).astype(np.float32) / 3
PARAMETERS = KERNELS.size + BIAS.size + MATRIX.size
MULTIPLY_ADDS = 8 * 8 * KERNELS.size + MATRIX.size


def cnn(path: Path, kind: type[np.floating]) -> Path:
    """Convolution, rectifier, mean, matrix product: x [batch, 3, 8, 8] -> y [batch, 5], all of one dtype."""
    tensor = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes = [
        helper.make_node("Conv", ["x", "kernels", "bias"], ["seen"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["seen"], ["lit"]),
        helper.make_node("ReduceMean", ["lit"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "matrix"], ["y"]),
    ]
    constants = {"kernels": KERNELS, "bias": BIAS, "matrix": MATRIX}
    graph = helper.make_graph(
        nodes,
        "cnn",
        [helper.make_tensor_value_info("x", tensor, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", tensor, ["batch", 5])],
        [numpy_helper.from_array(values.astype(kind), name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return cnn(tmp_path / "plain.onnx", np.float32)


@pytest.fixture
def expected(load: Load, plain: Path) -> Array:
    return load(plain).predict({"x": X})[0]


@pytest.mark.parametrize("io_binding", [False, True])
def test_half_precision(load: Load, tmp_path: Path, expected: Array, io_binding: bool) -> None:
    loaded = load(cnn(tmp_path / "half.onnx", np.float16), io_binding=io_binding)
    assert list(loaded.inputs) == [TensorSpec("x", "float16", (None, 3, 8, 8))]
    (y,) = loaded.predict({"x": X.astype(np.float16)})
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.astype(np.float32), expected, atol=5e-3)
    found = plugin.complexity(loaded, {"x": X[:1].astype(np.float16)})
    assert (found.parameters, found.multiply_adds) == (PARAMETERS, MULTIPLY_ADDS)


def scale_of(values: Array) -> Array:
    """The step of a symmetric 8-bit quantisation."""
    return np.array(np.abs(values).max() / 127, np.float32)


def whole(values: Array, scale: Array, dtype: type[np.integer] = np.int8) -> Array:
    """Values in steps of a scale."""
    return np.rint(values / scale).astype(dtype)


def quantised(path: Path, form: str, expected: Array) -> Path:
    """The same network with 8-bit weights: as QDQ, as QLinear operators, or as integer operators."""
    input_scale = scale_of(X)
    kernel_scale, matrix_scale = scale_of(KERNELS), scale_of(MATRIX)
    bias_scale = np.array(input_scale * kernel_scale, np.float32)
    seen_scale = np.array(0.06, np.float32)
    output_scale = scale_of(expected)
    constants: dict[str, Array] = {
        "kernels": whole(KERNELS, kernel_scale),
        "bias": whole(BIAS, bias_scale, np.int32),
        "matrix": whole(MATRIX, matrix_scale),
        "x_scale": input_scale,
        "kernel_scale": kernel_scale,
        "bias_scale": bias_scale,
        "matrix_scale": matrix_scale,
        "seen_scale": seen_scale,
        "y_scale": output_scale,
        "zero": np.array(0, np.int8),
        "zero32": np.array(0, np.int32),
    }
    conv: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    start = [helper.make_node("QuantizeLinear", ["x", "x_scale", "zero"], ["xq"])]
    pooled = [
        helper.make_node("Relu", ["seen"], ["lit"]),
        helper.make_node("ReduceMean", ["lit"], ["mean"], axes=[2, 3], keepdims=0),
    ]
    again = [helper.make_node("QuantizeLinear", ["mean", "seen_scale", "zero"], ["meanq"])]
    nodes = {
        "qdq": [
            *start,
            helper.make_node("DequantizeLinear", ["xq", "x_scale", "zero"], ["xd"]),
            helper.make_node("DequantizeLinear", ["kernels", "kernel_scale", "zero"], ["kernels_d"]),
            helper.make_node("DequantizeLinear", ["bias", "bias_scale", "zero32"], ["bias_d"]),
            helper.make_node("DequantizeLinear", ["matrix", "matrix_scale", "zero"], ["matrix_d"]),
            helper.make_node("Conv", ["xd", "kernels_d", "bias_d"], ["seen"], **conv),
            *pooled,
            helper.make_node("MatMul", ["mean", "matrix_d"], ["y"]),
        ],
        "qlinear": [
            *start,
            helper.make_node(
                "QLinearConv",
                ["xq", "x_scale", "zero", "kernels", "kernel_scale", "zero", "seen_scale", "zero", "bias"],
                ["seenq"],
                **conv,
            ),
            helper.make_node("DequantizeLinear", ["seenq", "seen_scale", "zero"], ["seen"]),
            *pooled,
            *again,
            helper.make_node(
                "QLinearMatMul",
                ["meanq", "seen_scale", "zero", "matrix", "matrix_scale", "zero", "y_scale", "zero"],
                ["yq"],
            ),
            helper.make_node("DequantizeLinear", ["yq", "y_scale", "zero"], ["y"]),
        ],
    }[form]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        form,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("level", ["disabled", "all"])
@pytest.mark.parametrize("form", ["qdq", "qlinear"])
def test_eight_bits(load: Load, tmp_path: Path, expected: Array, form: str, level: str) -> None:
    """Close to float32, and the weights count once, in whatever form they are."""
    loaded = load(quantised(tmp_path / f"{form}.onnx", form, expected), graph_optimization_level=level)
    (y,) = loaded.predict({"x": X})
    assert np.abs(y - expected).max() < 0.1 * np.abs(expected).max()
    found = plugin.complexity(loaded, {"x": X[:1]})
    assert (found.parameters, found.multiply_adds) == (PARAMETERS, MULTIPLY_ADDS)


def test_dynamic_quantisation_by_onnx_runtime(load: Load, tmp_path: Path, plain: Path, expected: Array) -> None:
    """ConvInteger and MatMulInteger, as its own tool makes them."""
    quantization = pytest.importorskip("onnxruntime.quantization")
    target = tmp_path / "dynamic.onnx"
    quantization.quantize_dynamic(str(plain), str(target), weight_type=quantization.QuantType.QUInt8)
    assert {"ConvInteger", "MatMulInteger"} <= {node.op_type for node in onnx.load(str(target)).graph.node}
    loaded = load(target)
    assert np.abs(loaded.predict({"x": X})[0] - expected).max() < 0.1 * np.abs(expected).max()
    found = plugin.complexity(loaded, {"x": X[:1]})
    assert (found.parameters, found.multiply_adds) == (PARAMETERS, MULTIPLY_ADDS)


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_digits_quantised_by_onnx_runtime(load: Load, tmp_path: Path, form: str) -> None:
    """The real digits network, where mlharness-vision is installed: the same digit, in nearly every case."""
    models = pytest.importorskip("mlharness_vision").__path__[0]
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    quantization = pytest.importorskip("onnxruntime.quantization")
    images = (digits.images[:300, None] / 16).astype(np.float32)
    source, target = Path(models) / "models" / "digits-cnn.onnx", tmp_path / "digits.onnx"

    class Calibration(quantization.CalibrationDataReader):  # type: ignore[name-defined,misc]  # untyped base
        def __init__(self) -> None:
            self.left = [{"images": images[at : at + 50]} for at in range(0, 150, 50)]

        def get_next(self) -> dict[str, Array] | None:
            return self.left.pop() if self.left else None

    quantization.quantize_static(str(source), str(target), Calibration(), getattr(quantization.QuantFormat, form))
    exact, rough = load(source), load(target)
    agree = exact.predict({"images": images})[0].argmax(1) == rough.predict({"images": images})[0].argmax(1)
    assert agree.mean() > 0.98
    found, before = (plugin.complexity(loaded, {"images": images[:1]}) for loaded in (rough, exact))
    assert found == before
    assert before.parameters == 19_178
