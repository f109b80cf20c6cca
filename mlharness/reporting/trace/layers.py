"""The table of layers: what each takes, of what shape it is, and what of it its kernels take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mlharness.analysis.traced import Layer, Traced
from mlharness.reporting.page import Cell, Column, make_table
from mlharness.reporting.trace.facts import cut, shapes, size

MOST = 3_000
"""Rows: a page with many more takes seconds to open. Larger networks are told in full by ``mlh analyze``."""
UNKNOWN = Cell("n/a", "", kind="muted")


_FIND = Markup('<button type="button" title="Find it in the flame graph">{}</button>')


@dataclass(frozen=True)
class _Scale:
    """What all rows have in common: the unit of times and its nanoseconds, the time of all layers and of the slowest,
    and whether anything is known of memory and kernels."""

    unit: str
    ns: float
    whole: float
    slowest: float
    memory: bool
    kernels: bool

    @classmethod
    def of(cls, traced: Traced) -> _Scale:
        times = [layer.latency_ns for layer in traced.layers]
        unit, ns = ("ms", 1e6) if max(times) >= 1e7 else ("µs", 1e3)
        memory = any(layer.memory_bytes is not None for layer in traced.layers)
        return cls(unit, ns, sum(times) or 1.0, max(times) or 1.0, memory, bool(traced.kernels))


def layer_table(traced: Traced) -> tuple[Markup, list[str]]:
    """The table of a traced run that has layers, and what its reader must know.

    Times are medians and deciles over the calls of the model; memory and kernels have columns where they are known.
    """
    layers, scale = list(traced.layers), _Scale.of(traced)
    told = f"{len(layers):,} layers"
    if len(layers) > MOST:
        layers = sorted(sorted(layers, key=lambda layer: -layer.latency_ns)[:MOST], key=lambda layer: layer.index)
        told = f"The {len(layers):,} of {len(traced.layers):,} layers with the most time"
    rows = [list(_row(traced, layer, scale)) for layer in layers]
    return make_table(_columns(scale), rows, told, "layers"), _notes(traced, scale)


def _columns(scale: _Scale) -> list[Column]:
    found = [
        Column("#", figures=True, told="in order of execution"),
        Column("Layer"),
        Column("Type"),
        Column(f"Median ({scale.unit})", figures=True, told="of its latency over the calls of the model"),
        Column(f"10–90 % ({scale.unit})", figures=True, told="8 of 10 calls lie in between; sorted by the width"),
        Column("Share", figures=True, told="of the latency of all layers, by trimmed means"),
    ]
    if scale.kernels:
        found.append(Column("Kernels", figures=True, told="below it, in one call"))
        found.append(Column("In kernels", figures=True, told="what its kernels take of its latency"))
    if scale.memory:
        found.append(Column("Memory", figures=True, told="what it allocates, else the size of its outputs"))
    found.append(Column("Output", told="inputs are in the tooltip"))
    return found


def _row(traced: Traced, layer: Layer, scale: _Scale) -> Iterator[Cell]:
    yield Cell(str(layer.index), layer.index)
    yield Cell(_FIND.format(cut(layer.name, 120) or "no name"), kind="name")
    yield Cell(cut(layer.kind, 60))
    yield from _times(layer, scale.ns)
    yield _share(layer.latency_ns, scale)
    if scale.kernels:
        yield from _kernels(traced, layer)
    if scale.memory:
        yield UNKNOWN if layer.memory_bytes is None else Cell(size(layer.memory_bytes), layer.memory_bytes)
    yield _shape(layer)


def _shape(layer: Layer) -> Cell:
    if not layer.outputs and not layer.inputs:
        return UNKNOWN
    inputs = cut(f"inputs: {shapes(layer.inputs)}", 600) if layer.inputs else "inputs: not told"
    return Cell(cut(shapes(layer.outputs), 60) or "not told", title=inputs, kind="shape")


def _times(layer: Layer, unit_ns: float) -> Sequence[Cell]:
    low, middle, high = (decile / unit_ns for decile in layer.deciles_ns)
    return Cell(_figure(middle), middle), Cell(f"{_figure(low)} – {_figure(high)}", high - low)


def _figure(value: float) -> str:
    """Three figures that count."""
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def _share(ns: float, scale: _Scale) -> Cell:
    """The share of all layers' time, over a bar that is as long as the cell for the slowest."""
    bar = Markup('<span class="share" style="--w:{}%">{} %</span>')
    return Cell(bar.format(f"{100 * ns / scale.slowest:.1f}", f"{100 * ns / scale.whole:.1f}"), ns)


def _kernels(traced: Traced, layer: Layer) -> list[Cell]:
    found = traced.kernels_of.get(layer.index, ())
    share = min(1.0, sum(kernel.latency_ns for kernel in found) / layer.latency_ns) if layer.latency_ns else 0.0
    names = ", ".join(dict.fromkeys(f"{kernel.kind} {kernel.name}".strip() for kernel in found))
    return [Cell(str(len(found)), len(found), title=cut(names)), Cell(f"{100 * share:.0f} %" if found else "–", share)]


def _notes(traced: Traced, scale: _Scale) -> list[str]:
    notes = [f"Measured over {traced.layer_notes[0].replace('; trimmed means', '')}.", *traced.layer_notes[1:]]
    if traced.layers_share is not None:
        notes.append(f"All layers together take {100 * traced.layers_share:.1f} % of a call.")
    if not scale.memory:
        notes.append("Memory: the framework's profiler does not tell what a layer allocates.")
    if "kernels" in traced.missing:
        notes.append(f"Kernels: {traced.missing['kernels']}.")
    return notes
