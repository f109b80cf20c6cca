"""Ctrl-C and SIGTERM while a run goes on: the first ends it in order, the second gives up the order, too."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mlharness.cli.exits import ExitCode

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """The handler of both signals. ``leaving`` says that the run is over, and the process about to end."""

    def __init__(self) -> None:
        self.count = 0
        self.leaving = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise what ends the run. The runner is in any case ended by the kernel together with this process."""
        self.count += 1
        if self.leaving:
            os._exit(ExitCode.INTERRUPTED)
        if self.count == 1:
            raise KeyboardInterrupt
        # Wherever this is raised, it is no error and carries the exit code; in a finalizer, which no exception leaves,
        # nothing is printed either, and the first interrupt goes on.
        sys.unraisablehook = lambda unraisable: None
        raise SystemExit(ExitCode.INTERRUPTED)


@contextmanager
def interruptible() -> Iterator[None]:
    """A run that both signals may interrupt; only the main thread can have one.

    The handlers stay after an interrupted one: until the process has ended, a further signal ends it at once.
    """
    handler = Interrupts()
    before = [signal.signal(number, handler) for number in SIGNALS]
    try:
        yield
    finally:
        handler.leaving = True
        if handler.count:
            atexit.register(ignore)
        else:
            for number, former in zip(SIGNALS, before, strict=True):
                signal.signal(number, former)


def ignore() -> None:
    """Ignore both signals: the interpreter, on its last way, would give them back the power to kill it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
