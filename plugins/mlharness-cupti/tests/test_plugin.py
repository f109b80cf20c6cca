"""What the plugin registers, and why there are no activities: another device, no binding, no driver."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cupti import cupti
from mlharness_cupti import binding
from mlharness_cupti.plugin import mlh_register_tracers, no_library, unavailable

from mlharness.providers import TraceRequest
from mlharness.registrars import Catalog, TracerRegistrar


def request(
    device: str = "cuda:0", framework: str = "onnxruntime", levels: tuple[str, ...] = ("system",)
) -> TraceRequest:
    return TraceRequest(levels, Path(), framework, device, {}, 1, 1)


def test_two_tracers_are_registered_for_every_framework() -> None:
    catalog = Catalog()
    mlh_register_tracers(TracerRegistrar(catalog, "mlharness-cupti"))
    found = [(entry.name, entry.provider.level, entry.provider.framework) for entry in catalog.tracers.entries]
    assert found == [("cupti", "system", ""), ("cupti-library", "library", "")]


def test_the_plugin_imports_no_cupti() -> None:
    code = (
        "import sys, mlharness_cupti.plugin; assert not any(name.partition('.')[0] == 'cupti' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_device_has_a_reason() -> None:
    reason = "CUPTI sees CUDA only, and this run is on cpu"
    assert unavailable(request("cpu")) == no_library(request("cpu")) == reason


def test_libraries_have_a_reason() -> None:
    assert "no calls of cuDNN and cuBLAS" in no_library(request())


@pytest.mark.parametrize(("framework", "profiler"), [("torch", "PyTorch's"), ("tensorflow", "TensorFlow's")])
def test_cupti_has_one_user(framework: str, profiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unavailable(request(framework=framework, levels=("framework", "system"))).startswith(profiler)
    monkeypatch.setattr(binding, "load_cupti", lambda: SimpleNamespace(cuptiError=OSError, get_timestamp=lambda: 1))
    assert unavailable(request(framework=framework)) == ""


def test_a_binding_that_is_not_installed_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'cupti'", name="cupti")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert unavailable(request()) == "cupti-python is not installed: pip install 'mlharness-cupti[cupti]'"


@pytest.mark.parametrize(
    "error", [ImportError("libcupti.so.13 is too old"), ModuleNotFoundError("numpy", name="numpy")]
)
def test_a_binding_that_cannot_be_imported_has_a_reason(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(name: str) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", broken)
    assert unavailable(request()) == f"cupti-python cannot be imported: {error}"


def test_an_error_of_cuptis_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(Exception):  # noqa: N818  # as the binding's
        pass

    def refuse() -> int:
        raise Refused("CUPTI_ERROR_INSUFFICIENT_PRIVILEGES")

    monkeypatch.setattr(binding, "load_cupti", lambda: SimpleNamespace(cuptiError=Refused, get_timestamp=refuse))
    assert unavailable(request()) == "CUPTI cannot be used: CUPTI_ERROR_INSUFFICIENT_PRIVILEGES"


def test_this_machine_says_what_it_has() -> None:
    """Without a driver the binding's own words; with one nothing."""
    try:
        cupti.get_timestamp()
    except RuntimeError as error:
        told = str(error)
    else:
        told = ""
    assert unavailable(request()) == (told and f"CUPTI cannot be used: {told}")
    assert not told or "CUDA driver is not found" in told
