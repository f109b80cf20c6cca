"""What the plugin registers, and what importing it does not do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import onnxruntime as ort
import pytest

from mlharness.plugins import build_manager
from mlharness.providers import FrameworkProvider

ENTRY = EntryPoint("onnxruntime", "mlharness_onnxruntime.plugin", "mlharness")


@pytest.fixture
def provider() -> FrameworkProvider:
    plugins = build_manager(entry_points=[ENTRY])
    assert [plugin.error for plugin in plugins.found] == [""]
    return plugins.catalog.frameworks.find("onnxruntime").provider


@pytest.mark.parametrize("name", ["onnxruntime", "ONNX Runtime", "OnnxRuntime", "onnx-runtime", "onnx_runtime", "ORT"])
def test_every_spelling_finds_it(name: str) -> None:
    assert build_manager(entry_points=[ENTRY]).catalog.frameworks.find(name).name == "onnxruntime"


def test_every_option_is_declared_with_type_and_meaning(provider: FrameworkProvider) -> None:
    assert {option.name: (option.type, option.default) for option in provider.options} == {
        "execution_provider": ("string", "auto"),
        "provider_options": ("object", None),
        "io_binding": ("boolean", None),
        "intra_op_num_threads": ("integer", None),
        "inter_op_num_threads": ("integer", 1),
        "execution_mode": ("string", "sequential"),
        "graph_optimization_level": ("string", "all"),
        "allow_spinning": ("boolean", True),
    }
    assert all(option.doc.endswith(".") for option in provider.options)
    assert provider.threads == "intra_op_num_threads"


def test_version_devices_and_what_to_install(provider: FrameworkProvider) -> None:
    assert provider.version() == ort.__version__
    assert "cpu" in provider.devices()
    assert provider.requirement == "onnxruntime"
    assert provider.variants == {"gpu": "onnxruntime-gpu", "openvino": "onnxruntime-openvino"}


def test_importing_and_registering_imports_no_onnx_runtime() -> None:
    program = (
        "import sys, importlib.metadata as m; from mlharness.plugins import build_manager;"
        "p = build_manager(entry_points=[m.EntryPoint('ort', 'mlharness_onnxruntime.plugin', 'mlharness')]);"
        "assert p.catalog.frameworks.names() == ['onnxruntime'], p.found;"
        "print(sorted({'onnxruntime', 'onnx', 'torch', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
