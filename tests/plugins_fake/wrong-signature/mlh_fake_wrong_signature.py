"""A plugin whose hook asks for an argument that the hook does not give."""

from __future__ import annotations

from typing import Any

from mlharness import hookimpl
from mlharness.providers import StepFunction
from mlharness.registrars import StepRegistrar


def _same() -> StepFunction:
    """Hand on the arrays as they are."""
    return lambda arrays, context: arrays


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    registrar.step("wrong.same", _same)


@hookimpl
def mlh_on_run_started(run: Any, colour: str) -> None:
    """No such argument."""
