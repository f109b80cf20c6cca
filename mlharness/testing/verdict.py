"""How a check fails: with what it found, what the contract asks for, and where that is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlharness.errors import MlharnessError


class NonconformanceError(AssertionError):
    """A plugin does not do what the contract asks for."""


def require(holds: bool, found: str, asks: str, where: str) -> None:
    """Raise NonconformanceError unless it holds.

    Args:
        holds: the outcome of a check.
        found: what was seen, naming the plugin's thing.
        asks: what the contract asks for.
        where: the module and name, or the page, in which the contract stands.
    """
    if not holds:
        raise NonconformanceError(f"{found}\nThe contract asks: {asks}\nIt is written in {where}.")


def require_user_error(found: str, asks: str, where: str, function: Callable[[], Any]) -> None:
    """Raise NonconformanceError unless the function raises an error of mlharness, with a message.

    ``found`` says what was tried, as "loading a damaged file".
    """
    error = raised_by(function)
    if isinstance(error, MlharnessError):
        require(bool(error.message.strip()), f"{found} raises {type(error).__name__} without a message.", asks, where)
        return
    outcome = "raises nothing" if error is None else f"raises {type(error).__name__}: {error}"
    require(False, f"{found} {outcome}.", asks, where)


def raised_by(function: Callable[[], Any]) -> Exception | None:
    """What a function raises, None when it returns."""
    try:
        function()
    except Exception as error:  # noqa: BLE001  # which kind it is, is what the caller looks at
        return error
    return None
