"""Nodes of the optimised graph have the file's names where they come from the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_onnxruntime.graph import Node
from mlharness_onnxruntime.nodenames import NodeNames, read_names
from mlharness_onnxruntime.session import LEVELS
from mlharness_onnxruntime.tracer import ProfileTracer
from onnx import NodeProto, TensorProto, helper, numpy_helper
from test_profile import WALL, watched

from mlharness.trace.spans import Spans

CONV = Node("Conv", ("x", "w"), ("c",), name="stem/conv")
RELU = Node("Relu", ("c",), ("r",), name="stem/relu")
ADD = Node("Add", ("r", "b"), ("y",))


@pytest.mark.parametrize(
    ("name", "op", "number", "expected"),
    [
        ("stem/conv", "Conv", 0, "stem/conv"),
        ("stem/conv_token_7", "Conv", 40, "stem/conv"),
        ("c_nchwc", "Conv", 40, "stem/conv"),
        ("r_nchwc", "Conv", 40, "stem/conv"),  # named for what the fused rectifier gives
        ("fused stem/conv", "FusedConv", 40, "stem/conv"),
        ("r_nchwc", "Relu", 40, "stem/relu"),
        ("Add_2", "Add", 2, "Add_2"),
        ("ReorderOutput_token_4", "ReorderOutput", 41, "ReorderOutput_token_4"),
        ("renamed", "Relu", 1, "stem/relu"),  # it has the number that it has in the file
        ("renamed", "Sigmoid", 1, "renamed"),
    ],
)
def test_a_name(name: str, op: str, number: int, expected: str) -> None:
    assert NodeNames([CONV, RELU, ADD]).of(name, op, number) == expected


def test_constants_are_not_counted() -> None:
    assert NodeNames([Node("Constant", (), ("k",)), CONV]).of("renamed", "Conv", 0) == "stem/conv"


def test_two_nodes_do_not_share_a_name() -> None:
    names = NodeNames([CONV])
    assert [names.of(name, "Conv", 40) for name in ("c_nchwc", "fused stem/conv", "c_nchwc")] == [
        "stem/conv",
        "fused stem/conv",
        "stem/conv",
    ]
    assert names.unknown == 1


def test_a_file_that_is_no_onnx_graph(tmp_path: Path) -> None:
    path = tmp_path / "model.ort"
    path.write_bytes(b"\x00\x01ORTM")
    assert read_names(path).of("conv", "Conv", 0) == "conv"


def network() -> tuple[list[NodeProto], list[TensorProto]]:
    """Two convolutions with rectifiers that are fused, pooling, and a linear layer without a name."""
    random = np.random.default_rng(1)
    weights = {"w1": (16, 3, 3, 3), "w2": (16, 16, 3, 3), "w3": (16, 10), "b3": (10,)}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], name="stem/conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="stem/relu"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="body/conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"], name="body/relu"),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    return nodes, constants


def ran(level: str, path: Path, folder: Path) -> Spans:
    tracer = ProfileTracer(folder)
    predictor = watched(path, tracer, graph_optimization_level=level)
    tracer.begin()
    predictor.predict({"x": np.zeros((2, 3, 16, 16), np.float32)})
    tracer.end()
    (spans,) = predictor.close()
    assert isinstance(spans, Spans)
    return spans


def of_kind(spans: Spans, kinds: Iterable[str]) -> list[str]:
    table = spans.table(WALL)
    return [table.text("name", row) for row in range(len(table)) if table.text("kind", row) in kinds]


@pytest.mark.parametrize("level", LEVELS)
def test_a_network_at_every_level_of_optimisation(level: str, save: Any, tmp_path: Path) -> None:
    nodes, constants = network()
    path = save(nodes, [("x", TensorProto.FLOAT, ["batch", 3, 16, 16])], [("y", TensorProto.FLOAT, ["batch", 10])],
                constants)  # fmt: skip
    spans = ran(level, path, tmp_path)
    assert of_kind(spans, ("Conv", "FusedConv")) == ["stem/conv", "body/conv"]
    assert of_kind(spans, ("Gemm",)) == ["Gemm_6"]
    assert of_kind(spans, ("GlobalAveragePool",)) == ["pool"]
    assert of_kind(spans, ("Flatten", "Reshape")) == ["flatten"]
    if level == "disabled":
        assert of_kind(spans, ("Relu",)) == ["stem/relu", "body/relu"]
        assert not spans.notes
