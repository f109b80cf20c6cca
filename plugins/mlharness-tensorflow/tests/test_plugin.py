"""What the plugin registers, and what importing it does not do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from mlharness_tensorflow.process import import_tensorflow

from mlharness.plugins import build_manager
from mlharness.providers import FrameworkProvider

ENTRY = EntryPoint("tensorflow", "mlharness_tensorflow.plugin", "mlharness")


@pytest.fixture
def provider() -> FrameworkProvider:
    plugins = build_manager(entry_points=[ENTRY])
    assert [plugin.error for plugin in plugins.found] == [""]
    return plugins.catalog.frameworks.find("tensorflow").provider


@pytest.mark.parametrize("name", ["tensorflow", "TensorFlow", "Tensorflow", "tf", "TF", "Keras", "tensor_flow"])
def test_every_spelling_finds_it(name: str) -> None:
    assert build_manager(entry_points=[ENTRY]).catalog.frameworks.find(name).name == "tensorflow"


def test_every_option_is_declared_with_type_and_meaning(provider: FrameworkProvider) -> None:
    assert {option.name: (option.type, option.default) for option in provider.options} == {
        "intra_op_num_threads": ("integer", None),
        "inter_op_num_threads": ("integer", None),
        "jit_compile": ("boolean", False),
        "freeze": ("boolean", True),
        "mixed_precision": ("boolean", False),
        "signature": ("string", "serving_default"),
        "max_cpu_isa": ("string", None),
    }
    assert all(option.doc.endswith(".") for option in provider.options)
    assert provider.threads == "intra_op_num_threads"


def test_version_devices_and_what_to_install(provider: FrameworkProvider) -> None:
    assert provider.version() == import_tensorflow().__version__
    assert "cpu" in provider.devices()
    assert provider.requirement == "tensorflow-cpu"
    assert provider.variants == {"full": "tensorflow", "gpu": "tensorflow[and-cuda]"}


def test_the_zoo_says_what_it_needs_and_offers() -> None:
    source = build_manager(entry_points=[ENTRY]).catalog.sources.find("keras").provider
    assert (source.framework, source.formats, source.digest_required) == ("tensorflow", ("onnx",), False)


def test_discovering_and_locating_import_no_framework() -> None:
    program = (
        "import sys, importlib.metadata as m; from mlharness.plugins import build_manager;"
        "p = build_manager(entry_points=[m.EntryPoint('tf', 'mlharness_tensorflow.plugin', 'mlharness')]);"
        "assert p.catalog.frameworks.names() == ['tensorflow'], p.found;"
        "p.catalog.sources.find('keras').provider.locate('keras://resnet50?weights=none&seed=123456', None);"
        "print(sorted({'tensorflow', 'keras', 'onnx', 'tf2onnx', 'h5py'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
