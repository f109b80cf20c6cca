"""What the plugin registers, and what importing it does not do. None of these needs MXNet but the last two."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.metadata import EntryPoint, requires

import pytest
from mlharness_mxnet import engine

from mlharness.plugins import build_manager
from mlharness.providers import FrameworkProvider
from mlharness.registrars import Catalog

ENTRY = EntryPoint("mxnet", "mlharness_mxnet.plugin", "mlharness")


@pytest.fixture
def catalog() -> Catalog:
    plugins = build_manager(entry_points=[ENTRY])
    assert [plugin.error for plugin in plugins.found] == [""]
    return plugins.catalog


@pytest.fixture
def provider(catalog: Catalog) -> FrameworkProvider:
    return catalog.frameworks.find("mxnet").provider


@pytest.mark.parametrize("name", ["mxnet", "MXNet", "Apache MXNet", "apache-mxnet", "MXNET"])
def test_every_spelling_finds_it(catalog: Catalog, name: str) -> None:
    assert catalog.frameworks.find(name).name == "mxnet"


def test_every_option_is_declared_with_type_and_meaning(provider: FrameworkProvider) -> None:
    assert {option.name: (option.type, option.default) for option in provider.options} == {
        "threads": ("integer", None),
        "engine": ("string", "auto"),
        "worker_threads": ("integer", 1),
        "bulk": ("boolean", True),
        "subgraph_backend": ("string", "MKLDNN"),
        "wait_policy": ("string", "passive"),
    }
    assert all(option.doc.endswith(".") for option in provider.options)
    assert provider.threads == "threads"
    assert provider.requirement == "mxnet"


def test_the_source_needs_the_framework(catalog: Catalog) -> None:
    source = catalog.sources.find("mxnet").provider
    assert source.framework == "mxnet"
    assert source.fetch is not None


def test_mxnet_is_no_hard_dependency() -> None:
    found = requires("mlharness-mxnet") or []
    assert [line for line in found if line.startswith("mxnet") and "extra ==" not in line] == []


def test_registering_and_locating_import_no_mxnet() -> None:
    program = (
        "import sys, importlib.metadata as m; from mlharness.plugins import build_manager;"
        "p = build_manager(entry_points=[m.EntryPoint('mxnet', 'mlharness_mxnet.plugin', 'mlharness')]);"
        "assert p.catalog.frameworks.names() == ['mxnet'], p.found;"
        "assert p.catalog.sources.find('mxnet').provider.locate('mxnet://resnet18_v1?weights=none', None) is None;"
        "print(sorted({'mxnet', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_mxnet_the_version_says_so(provider: FrameworkProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="mxnet"):
        provider.version()


def test_the_version_is_told_without_an_import() -> None:
    program = (
        "import sys; from mlharness_mxnet import plugin; v = plugin.version(); assert 'mxnet' not in sys.modules;"
        "import warnings; warnings.simplefilter('ignore'); import mxnet; assert v == mxnet.__version__; print(v)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == engine.installed_version()


def test_devices(provider: FrameworkProvider) -> None:
    assert provider.devices()[0] == "cpu"
