"""What the plugin registers, and what importing it does not do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import ctranslate2
import pytest

from mlharness.plugins import build_manager

ENTRY = EntryPoint("ctranslate2", "mlharness_ctranslate2.plugin", "mlharness")


@pytest.mark.parametrize("name", ["ctranslate2", "CTranslate2", "ct2"])
def test_every_spelling_finds_it(name: str) -> None:
    provider = build_manager(entry_points=[ENTRY]).catalog.frameworks.find(name).provider
    assert (provider.name, provider.requirement, provider.threads) == ("ctranslate2", "ctranslate2", "intra_threads")
    assert provider.version() == ctranslate2.__version__
    assert "cpu" in provider.devices()


def test_importing_and_registering_imports_no_ctranslate2() -> None:
    program = (
        "import sys, importlib.metadata as m; from mlharness.plugins import build_manager;"
        "p = build_manager(entry_points=[m.EntryPoint('ct2', 'mlharness_ctranslate2.plugin', 'mlharness')]);"
        "assert not p.found[0].error, p.found[0].error;"
        "print(sorted({'ctranslate2', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
