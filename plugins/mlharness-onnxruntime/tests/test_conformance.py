"""The framework ``onnxruntime`` holds to the contract, with a small network of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlharness.providers import Model
from mlharness.testing import FrameworkConformance, TracerConformance


class TestOnnxRuntime(FrameworkConformance):
    framework = "onnxruntime"

    def make_model(self, folder: Path) -> Model:
        """One linear layer and a rectifier, float32 [batch, 6] -> [batch, 3]."""
        weights = np.random.default_rng(2).standard_normal((6, 3)).astype(np.float32)
        graph = helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "weights"], ["product"]),
                helper.make_node("Relu", ["product"], ["y"]),
            ],
            "linear",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 6])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
            [numpy_helper.from_array(weights, "weights")],
        )
        # Old enough for every onnxruntime that the plugin allows.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        file = folder / "linear.onnx"
        onnx.save(model, str(file))
        return Model("linear", (file,))


class TestOnnxRuntimeWithBoundBuffers(TestOnnxRuntime):
    """The way that CUDA takes, with the CPU's memory in place of the device's."""

    options = {"io_binding": True}  # noqa: RUF012  # read only


class TestOnnxRuntimeInParallel(TestOnnxRuntime):
    """The other way to execute, with threads of ONNX Runtime's own."""

    options = {"execution_mode": "parallel", "inter_op_num_threads": 2, "intra_op_num_threads": 2}  # noqa: RUF012  # read only


@pytest.mark.skipif(
    "OpenVINOExecutionProvider" not in ort.get_available_providers(), reason="this build has no OpenVINO"
)
class TestOnnxRuntimeWithOpenVino(TestOnnxRuntime):
    """Where onnxruntime-openvino is installed in place of onnxruntime."""

    options = {"execution_provider": "openvino"}  # noqa: RUF012  # read only


class TestProfileTracer(TracerConformance):
    tracer = "onnxruntime-profile"
    framework = "onnxruntime"
    make_model = TestOnnxRuntime.make_model
