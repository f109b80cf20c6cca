"""Everything that a runner started, wherever it has gone: found by a mark in its environment, and ended."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

MARK = "MLHARNESS_RUNNER"
"""The environment variable that a runner and whatever it starts carry, with a value of the runner's own."""

_ROUNDS = 1000
"""Who still starts processes after so many, a millisecond apart at least, is left to the group's end."""


def end_family(mark: str, group: int) -> None:
    """SIGKILL to a runner's process group, and to those of its descendants that left it for a session of their own."""
    for _ in range(_ROUNDS):  # one that is ended may have started another in the meantime
        found = members(mark)
        for member in found:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(member, signal.SIGKILL)
        if not found:
            break
        time.sleep(0.001)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)  # last, since whoever calls this may belong to it


def members(mark: str) -> list[int]:
    """The ids of the processes, this one left out, that carry the mark. Source: /proc/PID/environ."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208  # thousands of names, of which most are looked at once
        if entry.isdigit() and int(entry) != os.getpid() and wanted in environment(entry):
            found.append(int(entry))
    return found


def environment(process: str) -> list[bytes]:
    """A process's environment when it was started; empty for one that has ended, or is another user's."""
    try:
        with open(f"/proc/{process}/environ", "rb") as file:  # noqa: PTH123  # the same
            return file.read().split(b"\0")
    except OSError:
        return []
