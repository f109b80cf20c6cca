"""A runner never outlives its parent, and neither does what it started.

The kernel ends the runner itself as soon as the parent is gone; a guard, a process that does nothing but wait for that,
then ends the rest of the runner's family.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from collections.abc import Collection

from mlharness.runner.family import MARK, end_family

_PR_SET_PDEATHSIG = 1


def hold(lifeline: int, others: Collection[int]) -> None:
    """End this process and its family when ``lifeline`` (a descriptor of the parent's pipe) is closed over there.

    Call it first of all, while the process is small and has one thread: it forks. ``others`` are descriptors that the
    guard must not keep open. Nothing is read from the lifeline.
    """
    if sys.platform == "linux":
        # no thread of ours runs while native code holds the interpreter
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.fork() == 0:
        guard(lifeline, others)


def guard(lifeline: int, others: Collection[int]) -> None:
    """Wait for the end of the lifeline, and end the family. Never returns; the parent ends it with the others."""
    try:
        for descriptor in others:
            os.close(descriptor)
        hung_up = select.poll()
        hung_up.register(lifeline, 0)  # only its end, which is always told: what comes before is the runner's
        hung_up.poll()
        end_family(os.environ.get(MARK, ""), os.getpgid(0))
    finally:
        os._exit(130)
