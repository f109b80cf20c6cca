"""Exit codes: what each means, and which error has which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from mlharness.errors import Interrupted, MlharnessError, RunError, UserError


class ExitCode(IntEnum):
    """What ``mlh`` leaves with. A command returns one of these; returning None means DONE."""

    DONE = 0
    BUG = 1
    INPUT = 2
    FAILED = 3
    ACCURACY = 4
    INTERRUPTED = 130


_PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.BUG,
    ExitCode.INPUT,
    ExitCode.FAILED,
    ExitCode.ACCURACY,
    ExitCode.DONE,
)


class ProblemsError(UserError):
    """The input was read and is wrong in ways already listed; ``details`` joins the JSON document of the error."""

    def __init__(self, message: str, remedy: str, details: Mapping[str, Any]) -> None:
        super().__init__(message, remedy)
        self.details = details


def exit_code(error: BaseException) -> ExitCode:
    """The exit code of an error that ended a command; anything that is no user error is a bug."""
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        return ExitCode.INTERRUPTED
    if isinstance(error, RunError):
        return ExitCode.FAILED
    return ExitCode.INPUT if isinstance(error, MlharnessError) else ExitCode.BUG


def worst(*codes: ExitCode) -> ExitCode:
    """The code that wins when several apply; DONE when none is given."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.DONE)
