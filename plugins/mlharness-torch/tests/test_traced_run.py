"""A traced run from end to end: every operator stands under its call of the model, every primitive under its layer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from conftest import export, script
from nets import Convolutions

from mlharness.testing import layers_of, trace_with_loadgen

MANIFEST = """\
kind: model
name: convolutions
version: "1.0"
framework: {{name: torch}}
model: {{files: [{file}]}}
inputs: [{{name: x, dtype: float32, shape: [batch, 16, 48, 48]}}]
dataset: noise.yaml
attributes: {attributes}
"""
DATASET = """\
kind: dataset
name: noise
version: "1.0"
provider: random
options: {count: 8, arrays: [{shape: [16, 48, 48]}]}
"""
CHANNELS = {"body.0": 16, "body.2": 64, "body.4": 64}
"""Of the input of each convolution."""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"MLH_{kind}_DIR", str(tmp_path / kind.lower()))
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))  # the runner's


def manifest(form: str, folder: Path) -> Path:
    """Of three convolutions, in one of the forms that PyTorch's models have."""
    module, attributes = Convolutions().eval(), "{}"
    if form == "eager":
        torch.save(module.state_dict(), folder / "net.pt")
        file, attributes = "net.pt", "{torch: {model: 'nets:Convolutions'}}"
    elif form == "scripted":
        file = script(module, folder / "net.ts").name
    else:
        file = export(module, folder / "net.pt2", torch.randn(2, 16, 48, 48)).name
    (folder / "noise.yaml").write_text(DATASET)
    path = folder / "convolutions.yaml"
    path.write_text(MANIFEST.format(file=file, attributes=attributes))
    return path


@pytest.mark.parametrize(
    ("form", "scenario"),
    [("eager", "SingleStream"), ("eager", "Offline"), ("scripted", "Offline"), ("exported", "SingleStream")],
)
def test_every_operator_stands_under_its_call(form: str, scenario: str, tmp_path: Path) -> None:
    root = tmp_path / "run"
    root.mkdir()
    trace = trace_with_loadgen(
        manifest(form, tmp_path), root, "model", "framework", "library", scenario=scenario, duration_s=0.3, trust=True
    )
    assert trace["failure"] == ""
    assert trace["levels"]["framework"] == {**trace["levels"]["framework"], "state": "recorded", "reasons": []}
    assert trace["placed"]["framework"] >= 0.99
    assert trace["levels"]["library"]["state"] == "recorded"
    for call in layers_of(root):
        convolutions = call.of_kind("aten::conv2d")
        assert {layer.attributes["module"]: layer.attributes["inputs"][0][1][1] for layer in convolutions} == CHANNELS
        assert len(convolutions) == len(CHANNELS)
        assert all(layer.thread == call.thread for layer in call.layers)
        # of two threads at once it is not always known which computed a primitive, which then stands nowhere
        computed = [layer.kernels.count("convolution") for layer in convolutions]
        assert computed == [1, 1, 1] if scenario == "SingleStream" else max(computed) <= 1
