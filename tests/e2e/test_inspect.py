"""``mlh models inspect`` loads a model and says what it is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.conftest import MLH
from tests.e2e.test_accuracy import changed_manifest


def test_inputs_outputs_version_and_devices(environment: Mapping[str, str]) -> None:
    import onnxruntime

    command = [*MLH, "models", "inspect", "digits-cnn", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout) == {
        "inputs": [{"name": "images", "dtype": "float32", "shape": [None, 1, 8, 8]}],
        "outputs": [{"name": "logits", "dtype": "float32", "shape": [None, 10]}],
        "version": onnxruntime.__version__,
        "devices": ["cpu"],
    }


def test_a_manifest_that_declares_other_outputs(environment: Mapping[str, str], tmp_path: Path) -> None:
    path = changed_manifest(tmp_path, outputs=[{"name": "scores", "dtype": "float32", "shape": ["batch", 10]}])
    done = subprocess.run(
        [*MLH, "models", "inspect", path], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 2
    assert "the model has the outputs 'logits', and the manifest declares 'scores'" in done.stderr
