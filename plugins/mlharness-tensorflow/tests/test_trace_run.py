"""Traced from end to end: LoadGen, the runner, TensorFlow's profiler, one tree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlharness_tensorflow.process import import_keras

from mlharness.testing.benching import trace_with_loadgen
from mlharness.trace.parquet import open_trace

MANIFEST = """
kind: model
name: small
version: "1.0"
description: Three convolutions of some milliseconds.
framework: {name: tensorflow}
model: {weights: random, files: [small.keras]}
dataset: ./noise.yaml
"""
DATASET = """
kind: dataset
name: noise
version: "1.0"
description: Noise.
provider: random
options: {count: 4, arrays: [{shape: [64, 64, 3], dtype: float32}]}
"""
SHARES = """
WITH RECURSIVE below AS (
    SELECT id, id AS call, duration_ns AS whole, 'call' AS kind, 0 AS own FROM spans WHERE level = 'model'
    UNION ALL
    SELECT span.id, call, whole, span.kind, span.duration_ns FROM spans span JOIN below ON span.parent = below.id
    WHERE span.level = 'framework' AND below.kind = 'call'
)
SELECT sum(own) FILTER (kind <> 'call') / any_value(whole) FROM below GROUP BY call
"""
"""For each call of the model the share of its time that is its layers'."""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """float32 [batch, 64, 64, 3] -> first, second, third [batch, 64, 64, 64] -> [batch, 64]."""
    keras = import_keras()
    images = x = keras.Input((64, 64, 3), name="images")
    for name in ("first", "second", "third"):
        x = keras.layers.Conv2D(64, 3, padding="same", use_bias=False, name=name)(x)
    keras.Model(images, keras.layers.GlobalAveragePooling2D()(x)).save(tmp_path / "small.keras")
    (tmp_path / "noise.yaml").write_text(DATASET)
    (tmp_path / "small.yaml").write_text(MANIFEST)
    return tmp_path / "small.yaml"


@pytest.mark.parametrize("scenario", ["SingleStream", "Offline"])
def test_every_operator_stands_under_its_call(manifest: Path, tmp_path: Path, scenario: str) -> None:
    root = tmp_path / "run"
    root.mkdir()
    levels = ("application", "model", "framework", "library")
    found = trace_with_loadgen(manifest, root, *levels, scenario=scenario, duration_s=0.5)
    assert found["failure"] == ""
    assert {level: about["state"] for level, about in found["levels"].items()} == dict.fromkeys(levels, "recorded")
    assert found["placed"]["framework"] >= 0.99
    assert found["placed"]["library"] >= (0.99 if scenario == "SingleStream" else 0.9)
    with open_trace(root) as database:
        calls = database.execute("SELECT count(*) FROM spans WHERE level = 'model'").fetchone()
        layers = database.execute(
            "SELECT name, any_value(attributes), count(*) FROM spans WHERE kind LIKE '%Conv2D' GROUP BY name ORDER BY 1"
        ).fetchall()
        shares = [share for (share,) in database.execute(SHARES).fetchall()]
    assert calls is not None
    assert [(name.split("/")[-2][:5], count) for name, _, count in layers] == [
        ("first", *calls), ("secon", *calls), ("third", *calls),
    ]  # fmt: skip
    about = json.loads(layers[1][1])
    assert about["inputs"] == [["float32", [1, 64, 64, 64]], ["float32", [3, 3, 64, 64]]]
    assert about["outputs"] == [["float32", [1, 64, 64, 64]]]
    assert about["memory_bytes"] >= 4 * 64**3
    if scenario == "SingleStream":  # predictors side by side wait for each other's threads where cores are few
        assert max(shares) >= 0.9  # of all calls, the one that other processes disturbed least
