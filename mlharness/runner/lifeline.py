"""A runner never outlives its parent: it ends itself when the parent's pipe closes, or when the kernel says so."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def hold(lifeline: int) -> None:
    """End this process when ``lifeline`` (a descriptor of the parent's pipe) reaches its end.

    The kernel's own signal comes first, since a thread of ours does not run while native code holds the interpreter.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_wait_for_end, args=(lifeline,), name="lifeline", daemon=True).start()


def _wait_for_end(lifeline: int) -> None:
    # The descriptor itself, since a lock of a buffered stream would still be held when the interpreter ends.
    while os.read(lifeline, 1):
        pass
    os._exit(130)
