"""What the plugin registers and ships, and what importing it does not do."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml
from mlharness_medical import plugin

from mlharness.plugins import build_manager

ENTRY = EntryPoint("medical", "mlharness_medical.plugin", "mlharness")
MANIFESTS = sorted((Path(plugin.__file__).parent / "manifests").glob("*/*.yaml"))


def test_everything_registers_without_an_error() -> None:
    plugins = build_manager(entry_points=[ENTRY])
    assert [plugin.error for plugin in plugins.found] == [""]
    assert plugins.catalog.datasets.names() == ["brats", "kits19"]
    assert plugins.catalog.metrics.names() == ["dice"]
    assert plugins.catalog.steps.names() == [
        "volume.add-channel", "volume.argmax", "volume.fit", "volume.normalize", "volume.resample",
    ]  # fmt: skip
    assert "onnxruntime+slide" in plugins.catalog.frameworks.names()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_validate(path: Path) -> None:
    command = [sys.executable, "-m", "mlharness", "validate", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)
    document = yaml.safe_load(path.read_text("utf-8"))
    assert document["name"] == path.stem


def test_the_target_and_the_key_are_mlperfs() -> None:
    for path in MANIFESTS:
        document = yaml.safe_load(path.read_text("utf-8"))
        if document["kind"] == "model":
            assert document["metric"]["target"] == pytest.approx(0.8617 * 0.99)
            assert document["mlperf"] == {"model": "3d-unet", "performance_sample_count": 43}


def test_importing_and_registering_imports_no_library_of_volumes() -> None:
    program = (
        "import sys, importlib.metadata as m; from mlharness.plugins import build_manager;"
        "p = build_manager(entry_points=[m.EntryPoint('medical', 'mlharness_medical.plugin', 'mlharness')]);"
        "assert not p.found[0].error, p.found[0].error;"
        "print(sorted({'nibabel', 'scipy', 'onnxruntime', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
