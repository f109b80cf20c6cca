"""A traced run from end to end: every node stands under its call of the model, and they explain its time."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlharness.testing import run_with_loadgen
from mlharness.trace.parquet import open_trace

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
LAYERS = """
    SELECT layer.name, layer.kind, layer.start_ns, layer.duration_ns, layer.thread, layer.attributes
    FROM spans layer JOIN spans outer_ ON layer.parent = outer_.id
    WHERE layer.level = 'framework' AND layer.kind <> 'call' AND (outer_.level = 'model' OR outer_.kind = 'call')
    ORDER BY layer.start_ns
"""
CALLS = "SELECT start_ns, start_ns + duration_ns, thread FROM spans WHERE level = 'model'"


@pytest.fixture
def manifest(save: Any, tmp_path: Path) -> Path:
    """A network that takes some milliseconds, so that what the profile itself costs does not stand out."""
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


def layers(run: Path) -> tuple[list[tuple[str, str, Any]], int, float]:
    """Name, kind and attributes of each layer; how many calls there are, and the median share that layers explain.

    Not the share of all: a busy machine takes calls away from their core, anywhere.
    """
    with open_trace(run) as trace:
        calls, found = trace.execute(CALLS).fetchall(), trace.execute(LAYERS).fetchall()
    shares = [
        sum(row[3] for row in found if row[4] == thread and start <= row[2] <= end) / (end - start)
        for start, end, thread in calls
    ]
    return [(name, kind, json.loads(about)) for name, kind, *_, about in found], len(calls), median(shares)


@pytest.mark.parametrize("scenario", ["SingleStream", "Offline"])
def test_nodes_explain_the_calls(scenario: str, manifest: Path, tmp_path: Path) -> None:
    result = run_with_loadgen(
        manifest, tmp_path / "runs", scenario=scenario, duration_s=0.3, trace=("model", "framework", "library")
    )
    assert result["status"] == "valid", result
    trace = result["trace"]
    assert trace["placed"]["framework"] >= 0.99
    assert trace["levels"]["framework"]["state"] == "recorded"
    assert trace["levels"]["library"]["reasons"] == ["ONNX Runtime shows no kernels below its nodes"]
    (run,) = (tmp_path / "runs").iterdir()
    found, calls, explained = layers(run)
    assert explained >= 0.9
    assert [name for name, kind, _ in found if kind == "Conv"][:3] == ["block0/conv", "block1/conv", "block2/conv"]
    assert len([name for name, *_ in found if name == "block1/conv"]) == calls
    about = next(about for name, _, about in found if name == "block1/conv")
    assert about["inputs"][0][1][1:] == [64, 48, 48]
    assert about["outputs"] == [["float32", [about["inputs"][0][1][0], 64, 48, 48]]]
    assert not list((run / "trace").glob("**/*.json.part"))
    assert not list((run / "trace" / "onnxruntime-profile").iterdir()), "what was read is not kept"
