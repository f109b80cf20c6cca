"""The layers of a traced run, call by call, for the test of a framework's tracer.

Which layers a call has, in which order, where each ran and with which shapes, is the tracer's doing. It is the same on
every machine, however busy: a test asserts it of every call. Which share of a call's time its layers take depends on
what else the machine does; it is a figure, for a benchmark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from mlharness.analysis.placing import place
from mlharness.testing.verdict import require
from mlharness.trace.parquet import open_trace
from mlharness.trace.tree import TOLERANCE_NS

SLACK_NS = 4 * TOLERANCE_NS
"""By how much a layer may reach beyond its call: both, and two wrappers between them, may be off by the tolerance."""

_CALLS = """
    SELECT id, start_ns, duration_ns, thread FROM spans WHERE level = 'model' AND kind = 'predict' ORDER BY start_ns, id
"""
_LAYERS = """
    SELECT placed.call, placed.layer, placed.kernel, span.name, span.kind, start_ns, duration_ns, thread, attributes
    FROM placed JOIN spans AS span ON span.id = placed.id ORDER BY start_ns, span.id
"""
_SPANS = "mlharness.trace.spans.Spans"


@dataclass(frozen=True)
class TracedLayer:
    """An operator under no other operator; times in nanoseconds, of CLOCK_MONOTONIC.

    ``kernels`` are the kinds of the library's primitives, or of the GPU's kernels, under it, in order.
    """

    name: str
    kind: str
    start_ns: int
    duration_ns: int
    thread: int
    attributes: Mapping[str, Any]
    kernels: Sequence[str]

    @property
    def end_ns(self) -> int:
        """When it ended."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True)
class TracedCall:
    """A call of the model, and its layers in the order in which they began."""

    start_ns: int
    duration_ns: int
    thread: int
    layers: Sequence[TracedLayer]

    @property
    def end_ns(self) -> int:
        """When it ended."""
        return self.start_ns + self.duration_ns

    @property
    def share(self) -> float:
        """The share of its time in which some layer ran, 0 to 1. Not to be asserted: see above."""
        covered, until = 0, self.start_ns
        for layer in self.layers:
            covered += max(0, min(layer.end_ns, self.end_ns) - max(layer.start_ns, until))
            until = max(until, layer.end_ns)
        return covered / max(1, self.duration_ns)

    def of_kind(self, *kinds: str) -> list[TracedLayer]:
        """The layers of these operator types."""
        return [layer for layer in self.layers if layer.kind in kinds]


def layers_of(run: Path) -> list[TracedCall]:
    """All calls of the model in a trace, each with its layers, after what must hold of them was checked.

    There are calls; each has layers; each layer lies within its call, up to :data:`SLACK_NS`; and those of one thread
    do not overlap.

    Args:
        run: a run directory with ``spans.parquet``, of a run in which the tracer dropped nothing.

    Raises:
        NonconformanceError: one of these does not hold.
        UserError: there is no trace.
    """
    found = _read(run)
    require(bool(found), "The trace has no call of the model.", "the level model is traced", "docs/tracing.md")
    for number, call in enumerate(found):
        _check(number, call)
    return found


def _read(run: Path) -> list[TracedCall]:
    with open_trace(run) as database:
        placed = place(database)
        columns = {"id": placed.id, "call": placed.call, "layer": placed.layer, "kernel": placed.kernel}
        database.register("placed", columns)
        calls, rows = database.execute(_CALLS).fetchall(), database.execute(_LAYERS).fetchall()
    layers: dict[int, list[TracedLayer]] = {}
    kernels: dict[int, list[str]] = {}
    for call, layer, is_kernel, name, kind, start, duration, thread, attributes in rows:
        under = kernels.setdefault(layer, [])
        if is_kernel:
            under.append(kind)
        else:
            about = json.loads(attributes or "{}")
            layers.setdefault(call, []).append(TracedLayer(name, kind, start, duration, thread, about, under))
    return [TracedCall(start, duration, thread, layers.get(id_, [])) for id_, start, duration, thread in calls]


def _check(number: int, call: TracedCall) -> None:
    where = f"Call {number} of the model"
    asks = "what cannot be recorded is counted in Spans.dropped"
    require(bool(call.layers), f"{where} has no layers.", asks, _SPANS)
    for layer in call.layers:
        beyond = max(call.start_ns - layer.start_ns, layer.end_ns - call.end_ns)
        told = f"{where}: the layer {layer.name!r} reaches {beyond / 1000:.1f} us beyond it."
        require(beyond <= SLACK_NS, told, "operators have the times of the call that they belong to", _SPANS)
    for thread in {layer.thread for layer in call.layers}:
        for before, layer in pairwise(layer for layer in call.layers if layer.thread == thread):
            overlap = before.end_ns - layer.start_ns
            told = f"{where}: the layers {before.name!r} and {layer.name!r} of one thread overlap by {overlap} ns."
            require(overlap <= SLACK_NS, told, "an operator within another has it as its parent", _SPANS)
