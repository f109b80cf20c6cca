"""A plugin for hooks of the future."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlharness import hookimpl
from mlharness.providers import Model, Predictor
from mlharness.registrars import FrameworkRegistrar

MLHARNESS_HOOK_API = 99


def _load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    raise NotImplementedError("no test loads this framework")


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    registrar.framework("future", load=_load, version=lambda: "9.9")
