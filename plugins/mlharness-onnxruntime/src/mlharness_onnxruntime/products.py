"""How many multiply-adds a model does, from the shapes that ONNX Runtime itself saw.

The model is run once more on the CPU, as it was written (nothing fused or folded), with ONNX Runtime's profiler on: it
notes the shapes of every node's inputs and outputs, in inner graphs too, whatever they depend on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import onnxruntime as ort

from mlharness.providers import Array

Shapes: TypeAlias = list[list[int]]
_Count: TypeAlias = Callable[[Shapes, Shapes], int]


def _conv(weights: int) -> _Count:
    """Every output element needs one filter."""

    def count(inputs: Shapes, outputs: Shapes) -> int:
        if len(inputs[weights]) != len(outputs[0]):
            raise ValueError("these are not the weights")
        return prod(outputs[0]) * prod(inputs[weights][1:])

    return count


def _matmul(inputs: Shapes, outputs: Shapes) -> int:
    """Every output element needs one row of the left matrix."""
    return prod(outputs[0]) * inputs[0][-1]


def _gemm(inputs: Shapes, outputs: Shapes) -> int:
    """Every element of the left matrix, transposed or not, meets every column of the result."""
    return prod(inputs[0]) * outputs[0][-1]


def _transposed(inputs: Shapes, outputs: Shapes) -> int:
    """Every input element is spread by one filter."""
    return prod(inputs[0]) * prod(inputs[1][1:])


COUNTED: Mapping[str, _Count] = {
    "Conv": _conv(1),
    "FusedConv": _conv(1),
    "ConvInteger": _conv(1),
    "QLinearConv": _conv(3),
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "QGemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "MatMulIntegerToFloat": _matmul,
    "DynamicQuantizeMatMul": _matmul,
    "MatMulNBits": _matmul,
    "QLinearMatMul": _matmul,
}
HIDING = frozenset(
    {
        *("LSTM", "GRU", "RNN", "Einsum", "Attention", "QAttention", "MultiHeadAttention", "GroupQueryAttention"),
        *("DecoderMaskedMultiHeadAttention", "PagedAttention", "SparseAttention", "DeformConv", "FusedMatMul", "MoE"),
    }
)
"""Operators with products inside that the shapes of their inputs and outputs do not tell."""


def count_multiply_adds(path: Path, batch: Mapping[str, Array], settings: ort.SessionOptions) -> int | None:
    """The multiply-adds of one batch; None when the CPU cannot run the model, or an operator hides its products."""
    try:
        events = list(profile(path, batch, settings))
    except Exception:  # noqa: BLE001  # ONNX Runtime's exceptions share no base; the run itself does not depend on this
        return None
    if any(event["op_name"] in HIDING for event in events):
        return None
    try:
        return sum(
            COUNTED[event["op_name"]](_shapes(event["input_type_shape"]), _shapes(event["output_type_shape"]))
            for event in events
            if event["op_name"] in COUNTED
        )
    except (IndexError, ValueError):  # another ONNX Runtime may note other inputs than the operator has
        return None


def profile(path: Path, batch: Mapping[str, Array], settings: ort.SessionOptions) -> Iterator[dict[str, Any]]:
    """What the profiler notes of each node that ran: ``op_name``, ``input_type_shape``, ``output_type_shape``."""
    with TemporaryDirectory(prefix="mlharness-profile-") as folder:
        settings.enable_profiling = True
        settings.profile_file_prefix = str(Path(folder) / "nodes")
        settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        # Weights that a kernel repacks are no longer among its inputs.
        settings.add_session_config_entry("session.disable_prepacking", "1")
        settings.enable_cpu_mem_arena = False  # the memory is given back before the test begins
        session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        session.run(None, dict(batch))
        events = json.loads(Path(session.end_profiling()).read_bytes())
    for event in events:
        noted = event.get("args", {})
        if "output_type_shape" in noted:
            yield noted


def _shapes(noted: Sequence[Mapping[str, list[int]]]) -> Shapes:
    """Each tensor's shape, without its type."""
    return [shape for tensor in noted for shape in tensor.values()]
