"""Notices when input is executed: a file that inline Python would touch, and the interpreter's audit events."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

TOKEN = "mlharness_fuzz_canary"  # noqa: S105  # no secret
"""Stands in every piece of Python that is put into the input."""
PROCESSES = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"})


class ExecutedError(BaseException):
    """Something was executed; no handler of errors may swallow it."""


class Canary:
    """Armed while a case runs. An audit hook cannot be removed, so there is one for the whole process."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / TOKEN
        self.executed = ""
        self._armed = False
        sys.addaudithook(self._listen)

    @property
    def source(self) -> str:
        """Python that shows when it runs."""
        return f"{TOKEN} = open({str(self.file)!r}, 'w')"

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """Listen; what was executed stands in :attr:`executed` afterwards."""
        self.executed, self._armed = "", True
        try:
            yield
        finally:
            self._armed = False
        if self.file.exists():
            self.executed = self.executed or "the canary's file is there"
            self.file.unlink()

    def check(self) -> None:
        """Raise RuntimeError unless an execution is noticed."""
        with contextlib.suppress(ExecutedError), self.armed():
            exec(self.source)  # noqa: S102  # its own text
        if not self.executed:
            raise RuntimeError("an execution would not be noticed")

    def _listen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed:
            return
        if event in PROCESSES or (event == "exec" and _holds_token(arguments[0])):
            self.executed = f"{event} {arguments!r:.200}"
            raise ExecutedError(self.executed)


def _holds_token(code: object) -> bool:
    if not isinstance(code, CodeType):
        return TOKEN in str(code)
    return TOKEN in (*code.co_names, *code.co_varnames) or any(_holds_token(part) for part in code.co_consts)
