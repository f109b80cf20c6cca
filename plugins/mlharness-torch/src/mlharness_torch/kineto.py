"""The tracer of PyTorch: Kineto records the operators of every thread while LoadGen's test lasts.

An event costs less than a microsecond while it is recorded, and 1.4 KB afterwards. Shapes would cost ten times as much,
and are the same in every call of one form, so that each form is called once more for them when its predictor is closed.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import torch
from torch.autograd import profiler

from mlharness.providers import TraceRequest
from mlharness.trace.levels import LEVELS, SYSTEM
from mlharness.trace.spans import Spans
from mlharness.trace.uncollected import uncollected
from mlharness_torch.activities import add_activities
from mlharness_torch.calls import Calls
from mlharness_torch.operators import add_operators
from mlharness_torch.profiling import profile

NAME = "torch-kineto"
EVENTS = 250_000
"""So many operators are recorded; calls beyond are only counted. Reading these takes about as long as a traced test."""


class KinetoTracer:
    """Profiles every thread from ``begin`` to ``end``; the predictors tell when each of their calls ran."""

    def __init__(self, request: TraceRequest) -> None:
        self._request = request
        self._cuda = request.device.startswith("cuda") and LEVELS[SYSTEM] in request.levels
        self._profiler: Any = None
        self._calls: list[Calls] = []
        self.running = False
        """Whether calls are being recorded."""

    def start(self) -> None:
        """Let Kineto begin once: that takes a second, in which no call of the model shall stand."""
        os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # its errors about GPUs that are not there
        with profile(cuda=self._cuda):
            pass

    def begin(self) -> None:
        """Record every thread from now on."""
        self._profiler = profile(all_threads=True, cuda=self._cuda)
        self._profiler.__enter__()
        self.running = True

    def end(self) -> None:
        """Stop, and let Kineto put its events in order."""
        self.running = False
        if self._profiler is not None:
            self._profiler.__exit__(None, None, None)

    def collect(self) -> list[Spans]:
        """The operators of all calls and, with CUDA, what they launched there."""
        found, self._profiler = self._profiler, None
        if found is None or found.kineto_results is None:
            return []
        spans = Spans(NAME, "wall")
        with uncollected():
            events = found.kineto_results.events()
            if self._cuda:
                events = add_activities(events, spans)
            add_operators(events, self._calls, spans)
        return [spans]

    def calls(self) -> Calls:
        """The record of a new predictor's calls, for the thread that asks."""
        one_by_one = threading.current_thread() is threading.main_thread()  # SingleStream: a call is a query
        every, first = (self._request.every, self._request.first) if one_by_one else (1, 0)
        calls = Calls(EVENTS // max(1, self._request.instances), every, first)
        self._calls.append(calls)
        return calls


def unavailable(request: TraceRequest) -> str:
    """Why this PyTorch cannot record the operators of all predictors' threads; empty when it can."""
    if not torch.autograd.kineto_available():
        return f"PyTorch {torch.__version__} was built without Kineto"
    try:
        profiler._ExperimentalConfig(profile_all_threads=True)
    except TypeError:
        return f"PyTorch {torch.__version__} can profile one thread alone, and each predictor has its own"
    return ""
