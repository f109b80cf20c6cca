"""The tracer of CUDA's activities."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from mlharness.trace.spans import Spans
from mlharness_cupti.binding import errors
from mlharness_cupti.records import KINDS, MOST, Activities

NAME = "cupti"
BUFFER_BYTES = 8 << 20
"""What CUPTI is given when it asks for room: some 40,000 records."""
_FORCE = 1
"""``CUPTI_ACTIVITY_FLAG_FLUSH_FORCED``: give back buffers that are not full, too."""
_ALL = 0
"""Of contexts and streams, where one is asked for."""


class CuptiTracer:
    """Records from ``begin`` to ``end``; one in a process, as CUPTI has one user.

    Kernels, copies, waits and overhead refer to the call that launched them by its correlation id, and calls stand on
    the thread of the predictor that made them: with both, a kernel is found under its call of the model.

    Args:
        cupti: the module ``cupti.cupti``, or what stands in for it in tests.
        most: of records that are kept.
    """

    def __init__(self, cupti: Any, most: int = MOST) -> None:
        self._cupti, self._errors = cupti, errors(cupti)
        self._activities = Activities(cupti, most)
        self._enabled: list[int] = []
        self._behind = 0
        self._threads_told = True
        self._dropped = 0
        self._notes: list[str] = []

    def start(self) -> None:
        """Before CUDA is used: the clock of all times, and ids of threads as the operating system gives them."""
        cupti = self._cupti
        self._behind = self._clock()
        try:
            cupti.set_thread_id_type(int(cupti.ActivityThreadIdType.SYSTEM))
        except self._errors as error:
            self._threads_told = False
            self._notes.append(f"CUPTI does not tell which thread launched what: {error}")
        cupti.activity_register_callbacks(lambda: (BUFFER_BYTES, 0), self._activities.take)

    def begin(self) -> None:
        """Record every kind that this driver knows. Raises what CUPTI raised when it knows none."""
        failed: Exception | None = None
        for name in KINDS:
            kind = int(getattr(self._cupti.ActivityKind, name))
            try:
                self._cupti.activity_enable(kind)
                self._enabled.append(kind)
            except self._errors as error:
                failed = error
                self._notes.append(f"no records of the kind {name}: {error}")
        if failed is not None and not self._enabled:
            raise failed

    def end(self) -> None:
        """Stop, and take what CUPTI still holds."""
        try:
            for kind in self._enabled:
                self._cupti.activity_disable(kind)
        finally:
            self._enabled.clear()
            self._cupti.activity_flush_all(_FORCE)
        self._dropped = self._lost()

    def collect(self) -> Spans:
        """The activities as spans of the level ``system``."""
        activities = self._activities
        spans = activities.spans(NAME, self._api_name, self._behind, self._threads_told)
        spans.dropped = activities.beyond + activities.unread + self._dropped
        spans.notes += self._notes
        for count, text in (
            (activities.beyond, "records came after as many as are kept"),
            (activities.unread, "records had no times, or could not be read"),
            (self._dropped, "records were dropped by CUPTI"),
        ):
            if count:
                spans.notes.append(f"{count} {text}")
        return spans

    def _clock(self) -> int:
        """Let CUPTI stamp by CLOCK_MONOTONIC; of one that cannot, how far its own clock is ahead, in nanoseconds."""
        cupti = self._cupti
        try:
            cupti.activity_register_timestamp_callback(time.monotonic_ns)
        except self._errors:
            before = time.monotonic_ns()
            stamp = int(cupti.get_timestamp())
            self._notes.append("CUPTI stamped by its own clock, whose distance was measured once")
            return stamp - (before + time.monotonic_ns()) // 2
        return 0

    def _lost(self) -> int:
        count = ctypes.c_size_t()
        try:
            self._cupti.activity_get_num_dropped_records(_ALL, _ALL, ctypes.addressof(count))
        except self._errors as error:
            self._notes.append(f"CUPTI does not tell how many records it dropped: {error}")
        return count.value

    def _api_name(self, domain: str, code: int) -> str:
        """``cudaLaunchKernel``, without the version of CUDA that its name ends in."""
        try:
            name = str(self._cupti.get_callback_name(int(self._cupti.CallbackDomain[domain]), code))
        except self._errors:
            return f"{domain.lower()} {code}"
        stem, mark, version = name.rpartition("_v")
        return stem if mark and version.isdecimal() else name
