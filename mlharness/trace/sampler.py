"""Calls probes at fixed intervals, on one thread for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic_ns

from mlharness.errors import PLUGIN_RAISES

Probe = Callable[[int], None]
"""Given the time (CLOCK_MONOTONIC, nanoseconds), it reads something and keeps it."""
THREAD = "trace-sampler"
"""What the thread is called, so that it is not taken for one of the run."""


def own_threads() -> set[int]:
    """The ids of the threads of samplers, which are no part of the run."""
    return {one.native_id for one in threading.enumerate() if one.name == THREAD and one.native_id}


class Sampler:
    """The thread lives while there is a probe. A probe that raises is called no more, and :meth:`remove` raises it."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._probes: list[Probe] = []
        self._failures: dict[Probe, BaseException] = {}
        self._calling = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, probe: Probe) -> None:
        """Call it from now on."""
        self._probes = [*self._probes, probe]  # a new list: the thread may be going through the old one
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
            self._thread.start()

    def remove(self, probe: Probe) -> None:
        """Call it no more; when this returns, it is not being called either. Raises what it raised."""
        with self._calling:
            self._probes = [other for other in self._probes if other != probe]
        if not self._probes and self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
        failure = self._failures.pop(probe, None)
        if failure is not None:
            raise failure

    def _run(self) -> None:
        while not self._stop.wait(self.interval_s):
            for probe in self._probes:
                with self._calling:
                    self._call(probe)

    def _call(self, probe: Probe) -> None:
        if probe not in self._probes or probe in self._failures:
            return
        try:
            probe(monotonic_ns())
        except PLUGIN_RAISES as error:
            self._failures[probe] = error
