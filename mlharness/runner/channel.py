"""How a runner talks to its parent: one JSON document a line, on a pipe, and counters in shared memory.

``Channel.fail`` is the only way out of the timed path: it reports and leaves by ``os._exit``, since LoadGen would call
a run VALID whose samples were completed without having been computed, and hangs when they are not completed.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any

from mlharness.errors import MlharnessError, RunError, UserError

COUNTERS = 4096
"""Slots of 8 bytes in the shared counters: one for each worker thread, on the largest of hosts."""
SHARED_BYTES = 2 * COUNTERS * 8
"""The shared memory: what each worker has completed, then since when each is busy."""

STALL_S = 60.0
PATIENT_S = 600.0
"""Seconds without a sign of life that are allowed; the patient limit is for phases that cannot give one, as loading."""


class Channel:
    """The runner's end. Safe to use from any thread."""

    def __init__(self, messages: int, counters: int) -> None:
        self._messages = messages
        self._lock = threading.Lock()
        self.counters, self.busy = shared_views(counters)
        self.phase_name = "start"
        self.phases: list[tuple[str, int]] = [("start", time.monotonic_ns())]
        """Every phase so far, and when it began, on the monotonic clock."""

    def send(self, event: str, **fields: Any) -> None:
        """Send one message to the parent."""
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._messages, line) :]

    def phase(
        self,
        name: str,
        detail: str = "",
        expected_s: float | None = None,
        total: int | None = None,
        stall_s: float = STALL_S,
    ) -> None:
        """Announce a phase; the counters begin at zero again.

        When nothing counts and nothing is said for ``stall_s`` seconds, the parent takes this runner for stalled.
        """
        self.phase_name = name
        self.phases.append((name, time.monotonic_ns()))
        self.reset()
        self.send("phase", name=name, detail=detail, expected_s=expected_s, total=total, stall_s=stall_s)

    def reset(self) -> None:
        """Set every counter to zero."""
        for slot in range(COUNTERS):
            self.counters[slot] = self.busy[slot] = 0

    def fail(self, error: BaseException) -> None:
        """Report the error and end this process at once, whatever its other threads are doing."""
        try:
            with suppress(OSError):  # a full disk, of which the parent must learn all the same
                traceback.print_exception(error)  # into the run directory's runner.log
            self.send("failure", **describe_failure(error, self.phase_name))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(3)


def shared_views(descriptor: int) -> tuple[memoryview, memoryview]:
    """Both halves of the shared memory in that file: completed samples, and busy marks.

    A busy mark is 0 while the worker has nothing to do, else ``perf_counter_ns`` when it took its batch, with the
    lowest bit 0 while it is in predict and 1 while it is in postprocessing.
    """
    whole = memoryview(mmap.mmap(descriptor, SHARED_BYTES)).cast("q")
    return whole[:COUNTERS], whole[COUNTERS:]


def describe_failure(error: BaseException, phase: str) -> dict[str, Any]:
    """A failure as the parent needs it: ``kind`` is ``user`` (exit 2), ``run`` (exit 3) or ``bug`` (exit 1)."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if isinstance(error, UserError):
        kind = "user"
    elif isinstance(error, RunError):
        kind = "run"
    else:
        kind = "bug"
    message, remedy = (error.message, error.remedy) if isinstance(error, MlharnessError) else (repr(error), "")
    return {"kind": kind, "phase": phase, "message": message, "remedy": remedy, "traceback": trace}
