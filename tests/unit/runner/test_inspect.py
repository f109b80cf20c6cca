"""What a runner says of frameworks without a model."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from mlharness.plugins import Plugins, build_manager
from mlharness.providers import FrameworkProvider
from mlharness.registrars import FrameworkRegistrar
from mlharness.runner.inspect import describe_framework, inspect, loadgen_error
from mlharness.runner.job import Job


class FakeChannel:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, event: str, **fields: Any) -> None:
        self.sent.append((event, fields))

    def phase(self, name: str, detail: str = "", **more: Any) -> None:
        self.sent.append(("phase", {"detail": detail}))


def never(*arguments: Any, **options: Any) -> Any:
    raise AssertionError("no model is loaded")


def missing() -> str:
    raise ImportError("no module named fake")


def with_frameworks() -> Plugins:
    plugins = build_manager(entry_points=[])
    registrar = FrameworkRegistrar(plugins.catalog, "some-plugin")
    registrar.framework("good", load=never, version=lambda: "2.0", devices=lambda: ("cpu", "cuda:0"))
    registrar.framework("broken", load=never, version=missing)
    return plugins


def test_without_a_plan_every_framework_is_described() -> None:
    channel = FakeChannel()
    inspect(Job("inspect"), with_frameworks(), channel)  # type: ignore[arg-type]  # a fake
    assert [(event, fields) for event, fields in channel.sent if event != "phase"] == [
        ("loadgen", {"error": None}),
        ("framework", {
            "name": "good", "plugin": "some-plugin", "version": "2.0", "devices": ["cpu", "cuda:0"], "error": None,
        }),
        ("framework", {
            "name": "broken", "plugin": "some-plugin", "version": None, "devices": [],
            "error": "ImportError: no module named fake",
        }),
    ]  # fmt: skip


def test_devices_that_cannot_be_listed_are_an_error() -> None:
    def no_devices() -> tuple[str, ...]:
        raise RuntimeError("driver mismatch")

    found = describe_framework(FrameworkProvider("good", never, lambda: "2.0", no_devices))
    assert found == {"version": None, "devices": [], "error": "RuntimeError: driver mismatch"}


def test_loadgen_that_cannot_be_imported_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mlharness.runner.loadgen", raising=False)
    monkeypatch.delattr("mlharness.runner.loadgen", raising=False)
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    assert "mlperf_loadgen" in (loadgen_error() or "")
