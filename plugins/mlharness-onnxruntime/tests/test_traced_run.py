"""A traced run from end to end: every node stands under its call of the model."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlharness.testing import layers_of, trace_with_loadgen

MANIFEST = """\
kind: model
name: convolutions
version: "1.0"
framework: {name: onnxruntime}
model: {files: [tiny.onnx]}
inputs: [{name: x, dtype: float32, shape: [batch, 16, 48, 48]}]
dataset: noise.yaml
"""
DATASET = """\
kind: dataset
name: noise
version: "1.0"
provider: random
options: {count: 8, arrays: [{shape: [16, 48, 48]}]}
"""
CHANNELS = (16, 64, 64, 64)
CONVOLUTIONS = tuple(f"block{place}/conv" for place in range(len(CHANNELS) - 1))


@pytest.fixture
def manifest(save: Any, tmp_path: Path) -> Path:
    """Three convolutions, which are as many layers where ONNX Runtime fuses what follows them."""
    random = np.random.default_rng(2)
    nodes, constants = [], []
    for place, (before, after) in enumerate(pairwise(CHANNELS)):
        weights = random.standard_normal((after, before, 3, 3)).astype(np.float32) / 30
        constants.append(numpy_helper.from_array(weights, f"w{place}"))
        nodes.append(
            helper.make_node("Conv", [f"t{place}" if place else "x", f"w{place}"], [f"c{place}"],
                             name=f"block{place}/conv", pads=[1, 1, 1, 1])
        )  # fmt: skip
        nodes.append(helper.make_node("Relu", [f"c{place}"], [f"t{place + 1}"], name=f"block{place}/relu"))
    nodes.append(helper.make_node("GlobalAveragePool", [f"t{len(CHANNELS) - 1}"], ["y"], name="pool"))
    save(nodes, [("x", TensorProto.FLOAT, ["batch", 16, 48, 48])], [("y", TensorProto.FLOAT, ["batch", 64, 1, 1])],
         constants)  # fmt: skip
    (tmp_path / "noise.yaml").write_text(DATASET)
    path = tmp_path / "convolutions.yaml"
    path.write_text(MANIFEST)
    return path


@pytest.mark.parametrize("scenario", ["SingleStream", "Offline"])
def test_every_node_stands_under_its_call(scenario: str, manifest: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    root.mkdir()
    trace = trace_with_loadgen(manifest, root, "model", "framework", "library", scenario=scenario, duration_s=0.3)
    assert trace["failure"] == ""
    assert trace["placed"]["framework"] >= 0.99
    assert trace["levels"]["framework"]["state"] == "recorded"
    assert trace["levels"]["library"]["reasons"] == ["ONNX Runtime shows no kernels below its nodes"]
    calls = layers_of(root)
    found = [call.of_kind("Conv", "FusedConv") for call in calls]
    assert {tuple(layer.name for layer in convolutions) for convolutions in found} == {CONVOLUTIONS}
    assert all(layer.thread == call.thread for call in calls for layer in call.layers)
    for _, middle, _ in found:
        (_, (batch, *image)), *_ = middle.attributes["inputs"]
        assert image == [64, 48, 48]
        assert middle.attributes["outputs"] == [["float32", [batch, *image]]]
    assert not list((root / "trace").glob("**/*.json.part"))
    assert not list((root / "trace" / "onnxruntime-profile").iterdir()), "what was read is not kept"
