"""Manifests in the published MLHarness format, run from end to end, as they are and upgraded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

MODEL = """\
name: Channel Means
framework: {name: Onnxruntime, version: 1.7.1}
version: 1.0
license: MIT License
modality: general
inputs:
  - type: image
    parameters: {element_type: float32, input_layer: 0, layout: HWC, dimensions: [3, 4, 6]}
outputs:
  - {type: classification, parameters: {element_type: int64}}
model: {is_archive: false, graph_path: means.onnx}
preprocess: |
  import numpy as np
  seen = []
  def preprocess(ctx, data):
    assert data == str(int(data))
    seen.append(int(data))
    return np.load(dataset[int(data)])
postprocess: |
  import json
  def postprocess(ctx, data):
    assert seen
    return [json.dumps(row.tolist()) for row in data[0]]
"""
DATASET = """\
name: Blocks
init: |
  import os
  def init(count):
    global dataset
    folder = os.environ['DATA_DIR']
    dataset = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    return len(dataset)
load: |
  def load(sample_list):
    assert all(0 <= index < len(dataset) for index in sample_list)
unload: |
  def unload(sample_list):
    return
"""
COUNT = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The manifests, a model of two outputs whose second is the same, and as many blocks of 4 x 6 pixels."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 4, 6, 3])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("means", "again")]
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])
    nodes = [helper.make_node("ReduceMean", ["image", "axes"], [name], keepdims=0) for name in ("means", "again")]
    graph = helper.make_graph(nodes, "means", [image], outputs, [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "means.onnx")
    (tmp_path / "means.yml").write_text(MODEL, "utf-8")
    (tmp_path / "blocks.yml").write_text(DATASET, "utf-8")
    (tmp_path / "blocks").mkdir()
    random = np.random.default_rng(1)
    for index in range(COUNT):
        np.save(tmp_path / "blocks" / f"{index}.npy", random.random((4, 6, 3), np.float32))
    return tmp_path


def mlh(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    user = {f"MLH_{kind}_DIR": str(folder / "user" / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG")}
    environment = {**os.environ, **user, "DATA_DIR": str(folder / "blocks")}
    return subprocess.run(
        [sys.executable, "-m", "mlharness", *words], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def bench(folder: Path, model: str, dataset: str) -> dict[str, Any]:
    ran = mlh(
        folder, "bench", model, "--dataset", dataset, "--scenario", "Offline", "--duration", "0.2", "--trust",
        "--output", str(folder / "runs"), "--json",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert isinstance(found, dict)
    return found


def test_it_runs_as_it_is_and_upgraded_with_the_same_outputs(folder: Path) -> None:
    for name in ("means", "blocks"):
        assert mlh(folder, "manifest", "upgrade", f"{name}.yml", "--output", f"{name}.yaml").returncode == 0
    one, two = bench(folder, "./means.yml", "./blocks.yml"), bench(folder, "./means.yaml", "./blocks.yaml")
    assert (one["status"], two["status"]) == ("valid", "valid")
    assert (one["model"]["name"], one["dataset"]["name"]) == ("channel-means", "blocks")
    assert one["dataset"]["count"] == COUNT
    assert one["fingerprint"]["sha256"] == two["fingerprint"]["sha256"]
    assert one["framework"]["manifest"] == {"name": "onnxruntime", "version": "", "written_for": "1.7.1"}
    assert any(
        warning.startswith("the model was written for onnxruntime 1.7.1, and this is") for warning in one["warnings"]
    )


def test_nothing_runs_without_trust(folder: Path) -> None:
    ran = mlh(folder, "bench", "./means.yml", "--dataset", "./blocks.yml")
    assert ran.returncode == 2
    assert "means.yml:12: preprocess: Python that would run on this machine" in ran.stderr


def test_a_layout_that_is_not_what_comes_is_told(folder: Path) -> None:
    (folder / "means.yml").write_text(MODEL.replace("layout: HWC", "layout: CHW"), "utf-8")
    ran = mlh(folder, "bench", "./means.yml", "--dataset", "./blocks.yml", "--trust", "--duration", "1")
    assert ran.returncode == 0
    assert "preprocess gives [4, 6, 3] for input '0', and the manifest declares [3, 4, 6]" in ran.stderr
