"""What the tests share: the fixtures' folders, and a stand-in for the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest_plugins = ["mlharness.testing.fixtures"]

DATA = Path(__file__).parent / "data"


@pytest.fixture
def data() -> Path:
    """The folder of the volumes that scripts/make_fixtures.py made."""
    return DATA


def write_stand_in(path: Path, side: int, channels: int = 4, batch: int | str = "batch_size") -> Path:
    """A network with the interface of MLPerf's 3D U-Net and random weights, for windows of ``side`` voxels a side."""
    rng = np.random.default_rng(4)
    weights = {
        "first": rng.normal(0, 0.3, (channels, 1, 3, 3, 3)).astype(np.float32),
        "second": rng.normal(0, 1, (3, channels, 1, 1, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["input", "first"], ["inside"], pads=[1] * 6),
        helper.make_node("Relu", ["inside"], ["positive"]),
        helper.make_node("Conv", ["positive", "second"], ["output"]),
    ]
    ends: list[Any] = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, size, *[side] * 3])
        for name, size in (("input", 1), ("output", 3))
    ]
    held = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "stand-in", ends[:1], ends[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
