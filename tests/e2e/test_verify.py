"""``mlh verify`` with a real model: one framework under two settings of the same weights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import MLH


def verify(environment: Mapping[str, str], *arguments: str) -> tuple[int, Any, str]:
    done = subprocess.run(
        [*MLH, "verify", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_the_same_model_agrees_with_itself(environment: Mapping[str, str]) -> None:
    code, told, _ = verify(environment, "digits-cnn", "--frameworks", "onnxruntime,ort", "--count", "20")
    assert code == 0
    assert (told["holds"], told["samples"], told["reference"]["framework"]) == (True, 20, "onnxruntime")
    [row] = told["frameworks"]
    assert (row["largest_difference"], row["top1_agreement"]) == (0.0, 1.0)


@pytest.fixture
def two_models(tmp_path: Path) -> str:
    """A manifest whose other framework has other weights."""
    manifest = {
        "kind": "model",
        "name": "two",
        "version": "1",
        "framework": {"name": "onnxruntime"},
        "model": {"files": ["pkg://mlharness_vision/models/digits-cnn.onnx"]},
        "dataset": "digits",
        "preprocess": [{"tensor.reshape": {"shape": [1, 8, 8]}}],
        # the null framework answers zeros
        "frameworks": {
            "null": {
                "model": {"files": []},
                "inputs": [{"name": "images", "dtype": "float32", "shape": ["batch", 1, 8, 8]}],
                "outputs": [{"name": "logits", "dtype": "float32", "shape": ["batch", 10]}],
            }
        },
    }
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump(manifest), "utf-8")
    return str(path)


def test_other_outputs_are_exit_code_3(environment: Mapping[str, str], two_models: str) -> None:
    code, told, _ = verify(environment, two_models, "--frameworks", "onnxruntime,null")
    assert code == 3
    assert told["holds"] is False
    assert told["frameworks"][0]["largest_difference"] == pytest.approx(1.0)


def test_one_framework_is_nothing_to_compare(environment: Mapping[str, str]) -> None:
    code, told, _ = verify(environment, "digits-cnn", "--frameworks", "onnxruntime")
    assert code == 2
    assert "nothing to compare" in told["error"]["message"]
