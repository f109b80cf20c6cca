"""Operators of TensorFlow in a trace: its profiler around the test, and what it wrote as spans."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from mlharness.providers import TraceRequest
from mlharness.trace.pthreads import native_ids_by_hash
from mlharness.trace.spans import Spans
from mlharness.trace.uncollected import uncollected
from mlharness_tensorflow.cuda_planes import add_device
from mlharness_tensorflow.host_plane import HostPlane
from mlharness_tensorflow.operator_facts import OperatorFacts, describe_graph
from mlharness_tensorflow.planes import HOST, Profile, read_profile
from mlharness_tensorflow.predictor import TensorFlowPredictor
from mlharness_tensorflow.process import import_tensorflow

NAME = "tensorflow-xplane"
_LEVEL = "_ZN3tsl8profiler8internal13g_trace_levelE"
_INFO, _VERBOSE = 2, 3
_CHEAP = "operators that TensorFlow takes for cheap, and shapes of inputs, are not recorded by this TensorFlow"


class TensorFlowTracer:
    """TensorFlow's profiler, of which a process has one. Its events sit in memory until it is stopped."""

    def __init__(self, request: TraceRequest) -> None:
        self._folder = request.folder
        self._graph: dict[str, tuple[str, tuple[int | None, ...]]] = {}
        self._threads: dict[int, int] = {}
        self._complete, self._ended = True, False

    def know(self, predictor: TensorFlowPredictor) -> None:
        """Take down what the operations of a predictor's graph give."""
        self._graph |= describe_graph(predictor.computation.function.graph)

    def start(self) -> None:
        """Nothing: TensorFlow takes its settings from the first predictor, which has not been loaded yet."""

    def begin(self) -> None:
        """Start the profiler. Raises what TensorFlow raises when another one runs."""
        import_tensorflow().profiler.experimental.start(str(self._folder))
        self._complete = record_everything()

    def end(self) -> None:
        """Stop it, which writes the profile, while the threads that it names are alive."""
        self._threads = native_ids_by_hash()
        import_tensorflow().profiler.experimental.stop()
        self._ended = True

    def collect(self) -> Spans:
        """Operators, and on GPUs kernels and copies. Raises ValueError for a profile that cannot be read."""
        spans = Spans(NAME, "wall")
        if not self._ended:
            return spans
        if not self._complete:
            spans.notes.append(_CHEAP)
        with uncollected():
            add_spans(spans, read_profile(self._folder), self._threads, OperatorFacts(self._graph, name_of_dtype))
        return spans


def add_spans(spans: Spans, profile: Profile, threads: dict[int, int], facts: OperatorFacts) -> None:
    """All that a profile tells; ``threads`` are the operating system's ids by the hashes that name lines."""
    devices = list(profile.devices())
    if HOST in profile.planes:  # not where nothing ran
        HostPlane(profile.planes[HOST], profile.began_ns, threads, facts, launches=bool(devices)).add_to(spans)
    for number, plane in devices:
        add_device(spans, plane, number, profile.began_ns)


def record_everything() -> bool:
    """Let the running profiler record cheap operators, too, and the shapes of inputs; false when it cannot.

    TensorFlow's option for that is not heeded by its Python interface (2.21), so the level is set where it keeps it.
    """
    tf = import_tensorflow()
    for library in sorted(Path(tf.sysconfig.get_lib()).glob("libtensorflow_framework.so*")):
        try:
            level = ctypes.c_int.in_dll(ctypes.CDLL(str(library)), _LEVEL)
        except (OSError, ValueError):  # no such library, or it has no such number
            continue
        if level.value == _INFO:
            level.value = _VERBOSE
        return level.value == _VERBOSE
    return False


def name_of_dtype(dtype: Any) -> str:
    """A dtype's name, by TensorFlow's number, or its name in profiles; that name itself where there is no such one."""
    try:
        return str(import_tensorflow().as_dtype(dtype).name)
    except TypeError:
        return str(dtype)
