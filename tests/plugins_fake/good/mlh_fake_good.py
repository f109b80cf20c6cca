"""A plugin that works: a framework with an alias, a step, and an observer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlharness import hookimpl
from mlharness.payloads import RunFinished
from mlharness.providers import Model, Predictor, StepFunction
from mlharness.registrars import FrameworkRegistrar, StepRegistrar


def _load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    raise NotImplementedError("no test loads this framework")


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    registrar.framework("fake", load=_load, version=lambda: "9.9", aliases=["Fake Framework"])


def _same() -> StepFunction:
    """Hand on the arrays as they are, whatever their shapes and dtypes."""
    return lambda arrays, context: arrays


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    registrar.step("fake.same", _same)


@hookimpl
def mlh_on_run_finished(finished: RunFinished) -> None:
    """Watch, and do nothing."""
