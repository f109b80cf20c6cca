"""Operators of MXNet in a trace: a predictor that notes its calls, and the profiler around the test.

MXNet's profiler tells the type of an operator and not its layer. But an executor runs its operators in the order of
its graph. So where the types within one call of ``predict`` are those of the graph, one by one, each has its layer's
name and shapes; otherwise its name is its type, and the trace says how many there are.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import get_native_id
from time import time_ns
from typing import Any

from mlharness.providers import Array, Model, TraceRequest
from mlharness.trace.levels import FRAMEWORK
from mlharness.trace.pthreads import native_ids_by_hash
from mlharness.trace.spans import Spans
from mlharness_mxnet.layers import Layer, layers_of
from mlharness_mxnet.network import Shape
from mlharness_mxnet.predictor import MxnetPredictor
from mlharness_mxnet.profile import Event, Profile, read_profile

NAME = "mxnet-profiler"
FILE = "profile.json"
MOST_CALLS = 1 << 20
"""Calls that a predictor notes."""

Shapes = tuple[Shape, ...]


@dataclass
class Noted:
    """What one predictor noted: each call with its begin and end (nanoseconds of the wall clock), its thread, and the
    shapes of its inputs; and the layers for those shapes."""

    calls: list[tuple[int, int, int, Shapes]] = field(default_factory=list)
    layers: dict[Shapes, Sequence[Layer]] = field(default_factory=dict)


class TracedPredictor(MxnetPredictor):
    """Notes when it was called, and runs its operators one by one: taken together they would be one event."""

    def __init__(self, model: Model, device: str, options: Mapping[str, Any], noted: Noted) -> None:
        super().__init__(model, device, {**options, "bulk": False})
        self._noted = noted

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """As the plain one."""
        start = time_ns()
        outputs = super().predict(batch)
        if len(self._noted.calls) < MOST_CALLS:
            shapes = tuple([batch[name].shape for name, _ in self._feeds])
            self._noted.calls.append((start, time_ns(), get_native_id(), shapes))
        return outputs

    def close(self) -> Sequence[Any]:
        """As the plain one, once the layers are known: the graphs that ran are dropped with the executors."""
        for shapes in {shapes for *_, shapes in self._noted.calls}:
            bound = self._bound.get(shapes) or self._latest
            if bound is not None:
                self._noted.layers[shapes] = self._layers(bound.executor, shapes)
        return super().close()

    def _layers(self, executor: Any, shapes: Shapes) -> Sequence[Layer]:
        inputs = {name: (dtype.name, shape) for (name, dtype), shape in zip(self._feeds, shapes, strict=True)}
        try:
            return layers_of(executor, self.network, inputs)
        except Exception:  # noqa: BLE001  # a graph that cannot be read costs the names, and not the run
            traceback.print_exc()
            return ()


class MxnetTracer:
    """MXNet's profiler, which is the process's: it can be set up and written out once."""

    def __init__(self, request: TraceRequest) -> None:
        self._path = request.folder / FILE
        self._noted: list[Noted] = []
        self._threads: dict[int, int] = {}
        self._ended = False

    def load(self, model: Model, device: str, options: Mapping[str, Any]) -> TracedPredictor:
        """A predictor that notes its calls here."""
        self._noted.append(Noted())
        return TracedPredictor(model, device, options, self._noted[-1])

    def start(self) -> None:
        """Nothing: MXNet takes its settings from the first predictor, which has not been loaded yet."""

    def begin(self) -> None:
        """Set up the profiler for the operators of symbols, and start it."""
        from mxnet import profiler

        # By default it also records the same operators again, as the engine sees them, memory, and calls of its API.
        others = dict.fromkeys(("profile_imperative", "profile_memory", "profile_api"), False)
        profiler.set_config(profile_symbolic=True, **others, filename=str(self._path))
        profiler.set_state("run")

    def end(self) -> None:
        """Stop it, and write its file while the threads that it names are alive."""
        from mxnet import profiler

        profiler.set_state("stop")
        self._threads = native_ids_by_hash()
        profiler.dump(True)
        self._ended = True

    def collect(self) -> Spans:
        """The operators of the test. Raises ValueError or OSError for a profile that cannot be read."""
        if not self._ended:
            return Spans(NAME, "wall")
        return spans_of(read_profile(self._path), self._noted, self._threads)


def spans_of(profile: Profile, noted: Sequence[Noted], threads: Mapping[int, int]) -> Spans:
    """The operators of a profile, named where their layers are certain.

    Args:
        profile: what MXNet wrote.
        noted: what each predictor noted.
        threads: the operating system's ids by MXNet's hashes; a thread that is not there becomes 0.
    """
    spans = Spans(NAME, "wall")
    spans.dropped = profile.dropped
    unnamed = 0
    for event, layer in _named(profile.events, noted, threads):
        start, duration = 1000 * event.start_us, 1000 * max(0, event.end_us - event.start_us)
        name, about = (layer.name, layer.attributes) if layer else (event.type, "")
        spans.add(FRAMEWORK, name, start, duration, kind=event.type, thread=threads.get(event.thread, 0),
                  attributes=about)  # fmt: skip
        unnamed += layer is None
    if unnamed:
        spans.notes.append(
            f"{unnamed} of {len(spans)} operators have their type for a name: "
            "their order within a call is not that of the graph, or calls overlap"
        )
    if not profile.complete:
        spans.notes.append("MXNet's profile is cut off; what it holds was read")
    return spans


def _named(
    events: Sequence[Event], noted: Sequence[Noted], threads: Mapping[int, int]
) -> Iterator[tuple[Event, Layer | None]]:
    """Every event with its layer, None where it is not certain."""
    callers = {call[2]: number for number, one in enumerate(noted) for call in one.calls}
    groups: dict[int, list[Event]] = {}
    for event in sorted(events, key=lambda one: (one.start_us, one.end_us)):
        # An engine's own thread works for every predictor, so that only a single one is certain.
        caller = 0 if len(noted) == 1 else callers.get(threads.get(event.thread, 0), -1)
        groups.setdefault(caller, []).append(event)
    for caller, group in groups.items():
        one = noted[caller] if caller >= 0 else Noted()
        calls = [(start, end, one.layers.get(shapes, ())) for start, end, _, shapes in one.calls]
        yield from _by_call(group, sorted(calls, key=lambda call: call[0]))


def _by_call(
    events: Sequence[Event], calls: Sequence[tuple[int, int, Sequence[Layer]]]
) -> Iterator[tuple[Event, Layer | None]]:
    """The events of one caller, each with its layer; calls and events in the order of their time."""
    place, count = 0, len(events)
    for start, end, layers in calls:
        while place < count and 1000 * events[place].start_us + 999 < start:  # whole microseconds, rounded down
            yield events[place], None
            place += 1
        first = place
        while place < count and 1000 * events[place].start_us <= end:
            place += 1
        within = events[first:place]
        sure = [event.type for event in within] == [layer.type for layer in layers]
        for number, event in enumerate(within):
            yield event, layers[number] if sure else None
    for event in events[place:]:
        yield event, None
