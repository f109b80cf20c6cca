"""A traced run from end to end: every operator stands under its call of the model, and layers explain its time."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from conftest import export, script
from nets import Convolutions

from mlharness.testing import run_with_loadgen
from mlharness.trace.parquet import open_trace

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
LAYERS = """
    SELECT layer.name, layer.kind, layer.start_ns, layer.duration_ns, layer.thread, layer.attributes
    FROM spans layer JOIN spans outer_ ON layer.parent = outer_.id
    WHERE layer.level = 'framework' AND layer.kind <> 'call' AND (outer_.level = 'model' OR outer_.kind = 'call')
    ORDER BY layer.start_ns
"""
CALLS = "SELECT start_ns, start_ns + duration_ns, thread FROM spans WHERE level = 'model'"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"MLH_{kind}_DIR", str(tmp_path / kind.lower()))
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))  # the runner's


def manifest(form: str, folder: Path) -> Path:
    """Of a network that takes some milliseconds, so that what the profile itself costs does not stand out."""
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


@pytest.mark.parametrize(
    ("form", "scenario"),
    [("eager", "SingleStream"), ("eager", "Offline"), ("scripted", "Offline"), ("exported", "SingleStream")],
)
def test_layers_explain_the_calls(form: str, scenario: str, tmp_path: Path) -> None:
    result = run_with_loadgen(
        manifest(form, tmp_path), tmp_path / "runs", scenario=scenario, duration_s=0.3, trust=True,
        trace=("model", "framework", "library"),
    )  # fmt: skip
    assert result["status"] == "valid", result
    trace = result["trace"]
    assert trace["levels"]["framework"] == {**trace["levels"]["framework"], "state": "recorded", "reasons": []}
    assert trace["placed"]["framework"] >= 0.99
    assert trace["levels"]["library"]["state"] == "recorded"
    assert trace["placed"]["library"] >= 0.99
    (run,) = (tmp_path / "runs").iterdir()
    found, calls, explained = layers(run)
    assert explained >= 0.9
    convolutions = [about for _, kind, about in found if kind == "aten::conv2d"]
    assert Counter(about["module"] for about in convolutions) == dict.fromkeys(("body.0", "body.2", "body.4"), calls)
    assert {(about["module"], about["inputs"][0][1][1]) for about in convolutions} == {
        ("body.0", 16),
        ("body.2", 64),
        ("body.4", 64),
    }
