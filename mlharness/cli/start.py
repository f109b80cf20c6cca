"""Where ``mlh`` begins: signals have their meaning before anything is imported that takes time.

Importing this module imports nothing but the standard library's smallest parts.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130


def main() -> int:
    """Run ``mlh`` and return its exit code. Ctrl-C and SIGTERM give 130, whenever they come."""
    _handle(_leave)
    from mlharness.cli.main import main as run

    try:
        _handle(_interrupt)
        return run()
    except KeyboardInterrupt:  # in the moments before and after run, which reports those within it
        return INTERRUPTED
    finally:
        _handle(_leave)
        # A KeyboardInterrupt that passed through code made from a string (each dataclass is made so) leaves a mark in
        # the interpreter, by which "python -m" kills itself with SIGINT in the end; the next such code takes it back.
        exec("")  # noqa: S102


def _handle(handler: object) -> None:
    for number in SIGNALS:
        signal.signal(number, handler)  # type: ignore[arg-type]  # one of the two functions below


def _leave(number: int, frame: FrameType | None) -> None:
    """Nothing has begun, or everything is done: there is nothing to put in order."""
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
