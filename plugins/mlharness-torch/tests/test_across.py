"""A shipped model from its manifest to two frameworks: exported once, and answering the same."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

NEEDED = ("mlharness_onnxruntime", "mlharness_vision")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
MODEL = "resnet18"
BOUND = 1e-4
"""Largest difference relative to the largest logit; seen are 3e-6, for ResNet-50 as well."""

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture
def moved(cache: Path, tmp_path: Path) -> dict[str, str]:
    """The environment variables of a process that touches nothing of the user's."""
    return {**os.environ, "MLH_DATA_DIR": str(tmp_path / "data"), "MLH_CONFIG_DIR": str(tmp_path / "config")}


def mlh(environment: dict[str, str], *words: str) -> Any:
    """The document of a command that ends well."""
    done = subprocess.run(
        [sys.executable, "-m", "mlharness", *words, "--json"], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_an_export_is_made_once_and_copied(moved: dict[str, str], cache: Path, tmp_path: Path) -> None:
    target = tmp_path / "resnet.onnx"
    made = mlh(moved, "models", "export", MODEL, "--to", "onnx")
    kept = Path(made["path"])
    assert kept.is_relative_to(cache)
    when = kept.stat().st_mtime_ns
    copied = mlh(moved, "models", "export", MODEL, "--to", "onnx", "--output", str(target))
    assert kept.stat().st_mtime_ns == when
    assert made["sha256"] == copied["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert [put.name for put in onnx.load(target).graph.output] == ["logits"]


def test_the_export_answers_as_the_model_in_torch(moved: dict[str, str]) -> None:
    found = mlh(moved, "verify", MODEL, "--frameworks", "onnxruntime,torch")
    (torchs,) = found["frameworks"]
    assert torchs["largest_difference"] < BOUND
    assert torchs["top1_agreement"] == 1
    assert torchs["multiply_adds"] == found["reference"]["multiply_adds"]
