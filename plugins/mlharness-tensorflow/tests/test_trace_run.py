"""Traced from end to end: LoadGen, the runner, TensorFlow's profiler, one tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlharness_tensorflow.process import import_keras

from mlharness.testing import layers_of, trace_with_loadgen

MANIFEST = """
kind: model
name: small
version: "1.0"
description: Three convolutions.
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
    for call in layers_of(root):
        layers = [layer for layer in call.layers if layer.kind.endswith("Conv2D")]
        assert [layer.name.split("/")[-2][:5] for layer in layers] == ["first", "secon", "third"]
        about = layers[1].attributes
        assert about["inputs"] == [["float32", [1, 64, 64, 64]], ["float32", [3, 3, 64, 64]]]
        assert about["outputs"] == [["float32", [1, 64, 64, 64]]]
        assert about["memory_bytes"] >= 4 * 64**3
        # of two predictors at once it is not always known which computed a primitive, which then stands nowhere
        computed = [layer.kernels.count("convolution") for layer in layers]
        assert computed == [1, 1, 1] if scenario == "SingleStream" else max(computed) <= 1
