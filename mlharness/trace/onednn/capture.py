"""Standard output of this process, that of native code too, goes into a file for a while.

oneDNN prints with C's ``printf``, so that nothing less than the file descriptor will do. A file, which costs a
primitive as much as memory would (2.8 against 2.5 us), stays readable when the process is killed.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

PERIOD_S = 0.05
"""How often the file's size is looked at."""
_STDOUT = 1
_LAST_S = 5.0
"""How long the lines that are still in the pipe are waited for: a child process may hold its other end."""


class Capture:
    """Between :meth:`start` and :meth:`stop` file descriptor 1 is ``path``; Python's own prints go where they went.

    Args:
        path: a new file.
        most_bytes: of what is kept after :meth:`mark`. What comes later is counted where it begins with one of
            ``prefixes``, and passed on to the real standard output where it does not.
        prefixes: how the wanted lines begin.
    """

    def __init__(self, path: Path, most_bytes: int, prefixes: tuple[bytes, ...]) -> None:
        self.path, self.most_bytes = path, most_bytes
        self.dropped = 0
        """Wanted lines that came when the file was full."""
        self._prefixes = prefixes
        self._limit = most_bytes
        self._real = -1
        self._python: tuple[TextIO, TextIO] | None = None
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def running(self) -> bool:
        """True while standard output goes into the file."""
        return self._real >= 0

    def start(self) -> None:
        """Raises OSError when the process has no standard output, or the file cannot be made."""
        if self.running:
            return
        if sys.stdout is not None:
            sys.stdout.flush()
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._real = os.dup(_STDOUT)
            os.dup2(file, _STDOUT)
        finally:
            os.close(file)
        self._keep_python()
        self._stopped.clear()
        atexit.register(self.stop)
        self._run(self._watch)

    def mark(self) -> int:
        """How many bytes were written so far; ``most_bytes`` are counted from here."""
        size = self.path.stat().st_size
        self._limit = size + self.most_bytes
        return size

    def stop(self) -> None:
        """Standard output is what it was."""
        if not self.running:
            return
        atexit.unregister(self.stop)
        self._stopped.set()
        self._threads.pop(0).join()  # it must not divert what is restored
        self._restore_python()
        os.dup2(self._real, _STDOUT)  # ends the pipe, if it came to that
        for thread in self._threads:
            thread.join(_LAST_S)
        self._threads.clear()
        os.close(self._real)
        self._real = -1

    def lines(self) -> Iterator[bytes]:
        """What was captured, line by line, each with its end; the last may have none."""
        with self.path.open("rb") as file:
            yield from file

    def _keep_python(self) -> None:
        """``sys.stdout`` goes on to the real standard output, unless it is something else already."""
        old = sys.stdout
        try:
            if old is None or old.fileno() != _STDOUT:
                return
        except (OSError, ValueError):  # a stream in memory, as tests have, or a closed one
            return
        new = os.fdopen(os.dup(self._real), "w", encoding=old.encoding, errors=old.errors, newline="\n")
        new.reconfigure(line_buffering=bool(old.line_buffering))
        self._python = old, new
        sys.stdout = new

    def _restore_python(self) -> None:
        if self._python is None:
            return
        old, new = self._python
        self._python = None
        if sys.stdout is new:
            sys.stdout = old
        with suppress(OSError, ValueError):  # closed by others
            old.flush()  # what went through the old stream in the meantime is foreign text in the file
            new.close()

    def _run(self, work: Callable[..., None], *arguments: int) -> None:
        thread = threading.Thread(target=work, args=arguments, name="onednn-capture", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(PERIOD_S):
            if self.path.stat().st_size > self._limit:
                self._divert()
                return

    def _divert(self) -> None:
        """From now on nothing more is kept: a thread reads what is printed and counts it."""
        reading, writing = os.pipe()
        os.dup2(writing, _STDOUT)
        os.close(writing)
        self._run(self._count, reading)

    def _count(self, reading: int) -> None:
        with os.fdopen(reading, "rb") as pipe:
            for line in pipe:
                if line.startswith(self._prefixes):
                    self.dropped += b",exec," in line
                else:
                    os.write(self._real, line)
