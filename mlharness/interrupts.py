"""Ctrl-C and SIGTERM while a run goes on: the first ends it in order, the second at once.

No handler here raises. An exception at whatever bytecode a signal happens to meet gets lost in a finalizer, or leaves a
lock taken for ever: one between the lines of ``Popen.poll`` makes ``Popen.wait`` hang. The first signal is noted, and
raised by :meth:`Interrupts.check`, which the wait for a runner calls as soon as there is one; only where nobody looks
for a second, it is raised after all.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import FrameType
from typing import TypeAlias

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_S = 1.0
"""How long a noted signal may wait until somebody looks for it. Then it is raised where the process is, be it in an
observer, or in the hashing of a large file: the danger that it is lost there is small beside that of waiting on."""
EXIT_CODE = 130
"""What a process leaves with that a second signal ends."""

Handler: TypeAlias = Callable[[int, "FrameType | None"], None]


class Interrupts:
    """The handler of both signals, and a descriptor that can be read from once one has come."""

    def __init__(self) -> None:
        self.count = 0
        self.leaving = False
        """The run is over and the process about to end: a further signal has nothing to wait for."""
        self.endings: dict[int, Callable[[], None]] = {}
        """What a second signal does before it ends this process, by process id of the runner that is ended."""
        self._raised = False
        self._reader, self._writer = os.pipe()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note the first signal; end everything at the second."""
        self.count += 1
        if self.count > 1 or self.leaving:
            for process, ending in self.endings.items():
                ending()
                with suppress(OSError):  # it has been waited for already
                    os.waitpid(process, 0)
            os._exit(EXIT_CODE)
        os.write(self._writer, b"!")
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    def lose_patience(self, number: int, frame: FrameType | None) -> None:
        """Raise a signal that nobody has looked for: no runner is waited for, something else takes its time."""
        self.check()

    def fileno(self) -> int:
        """A descriptor to wait for."""
        return self._reader

    def check(self) -> None:
        """Raise KeyboardInterrupt when a signal has come, and has not been raised before."""
        if self.count and not self._raised:
            self._raised = True
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    def close(self) -> None:
        """Let go of the descriptors. The handler must not be called any more, unless a signal has come."""
        os.close(self._reader)
        os.close(self._writer)


_CURRENT: ContextVar[Interrupts | None] = ContextVar("interrupts", default=None)


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Both signals are noted instead of raised; inside another ``interruptible`` it is that one.

    Only the main thread can have handlers: on another nothing is noted, and whoever started it ends it.

    The handlers stay after an interrupted one: until the process has ended, a further signal ends it at once.
    """
    outer = _CURRENT.get()
    if outer is not None:
        yield outer
        return
    interrupts = Interrupts()
    token = _CURRENT.set(interrupts)
    handlers: dict[int, Handler] = {**dict.fromkeys(SIGNALS, interrupts), signal.SIGALRM: interrupts.lose_patience}
    mine = handlers if threading.current_thread() is threading.main_thread() else {}
    before = {number: signal.signal(number, handler) for number, handler in mine.items()}
    try:
        yield interrupts
        interrupts.check()
    finally:
        interrupts.leaving = True
        if mine:
            signal.setitimer(signal.ITIMER_REAL, 0)  # what is on its way out needs no hurrying
        _CURRENT.reset(token)
        if interrupts.count:
            atexit.register(_ignore)
        else:
            for number, former in before.items():
                signal.signal(number, former)
            interrupts.close()


def interrupted() -> bool:
    """True when a run goes on for which a signal has come."""
    interrupts = _CURRENT.get()
    return interrupts is not None and interrupts.count > 0


def _ignore() -> None:
    """Ignore both signals: the interpreter, on its last way, would give them back the power to kill it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
