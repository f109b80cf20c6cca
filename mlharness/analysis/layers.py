"""A2 to A7: the layers of a model, one by one and by their type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlharness.analysis.flops import Tensor
from mlharness.analysis.table import Column, Table, ratio, total
from mlharness.analysis.traced import Layer, Traced

_LAYER = (Column("layer", "count"), Column("name"), Column("type"))


def layer_information(traced: Traced) -> Table:
    """A2. Every layer in order of execution: its shapes, latency, memory, operations and bytes."""
    columns = (
        *_LAYER, Column("inputs"), Column("outputs"), Column("latency_ns", "ns"), Column("memory_bytes", "bytes"),
        Column("flops", "FLOP", True), Column("bytes", "bytes", True), Column("repetitions", "count"),
    )  # fmt: skip
    rows = [
        [*_name(layer), _shapes(layer.inputs), _shapes(layer.outputs), layer.latency_ns, layer.memory_bytes,
         layer.work.flops, layer.work.bytes, layer.repetitions]
        for layer in traced.layers
    ]  # fmt: skip
    notes = [*traced.layer_notes, "operations and bytes are estimated from shapes"]
    return Table(columns, rows, "latency_ns", notes)


def layer_latency(traced: Traced) -> Table:
    """A3. The latency of every layer, and its share of all layers'."""
    whole = sum(layer.latency_ns for layer in traced.layers)
    rows = [[*_name(layer), layer.latency_ns, ratio(layer.latency_ns, whole)] for layer in traced.layers]
    notes = [*traced.layer_notes, f"all layers together take {100 * (traced.layers_share or 0):.1f} % of a call"]
    return Table((*_LAYER, Column("latency_ns", "ns"), Column("share", "share")), rows, "latency_ns", notes)


def layer_memory(traced: Traced) -> Table:
    """A4. What every layer allocates, and its share of all layers'."""
    whole = total([layer.memory_bytes for layer in traced.layers])
    rows = [[*_name(layer), layer.memory_bytes, ratio(layer.memory_bytes, whole)] for layer in traced.layers]
    columns = (*_LAYER, Column("memory_bytes", "bytes"), Column("share", "share"))
    return Table(columns, rows, "memory_bytes", _memory_notes(traced, whole))


def layer_types(traced: Traced) -> Table:
    """A5. How many layers there are of each type."""
    return _by_type(traced, Column("layers", "count"), lambda layer: 1, [])


def latency_by_type(traced: Traced) -> Table:
    """A6. The latency of all layers of a type together."""
    return _by_type(traced, Column("latency_ns", "ns"), lambda layer: layer.latency_ns, traced.layer_notes)


def memory_by_type(traced: Traced) -> Table:
    """A7. What all layers of a type together allocate."""
    whole = total([layer.memory_bytes for layer in traced.layers])
    notes = _memory_notes(traced, whole)
    return _by_type(traced, Column("memory_bytes", "bytes"), lambda layer: layer.memory_bytes, notes)


def _by_type(traced: Traced, column: Column, value: Callable[[Layer], float | None], notes: list[str]) -> Table:
    """A row for each type, the largest first; a type of which nothing is known comes last."""
    types: dict[str, list[float | None]] = {}
    for layer in traced.layers:
        types.setdefault(layer.kind, []).append(value(layer))
    sums = {kind: total(values) for kind, values in types.items()}
    whole = total(list(sums.values()))
    found: list[list[Any]] = [[kind, number, ratio(number, whole)] for kind, number in sums.items()]
    found.sort(key=lambda row: (row[1] is None, -(row[1] or 0), row[0]))
    return Table((Column("type"), column, Column("share", "share")), found, column.key, notes)


def _name(layer: Layer) -> list[Any]:
    return [layer.index, layer.name, layer.kind]


def _shapes(tensors: list[Tensor]) -> str | None:
    """``float32[1,3,224,224] float32[64,3,7,7]``; None where the framework does not tell."""
    return " ".join(f"{dtype}[{','.join(map(str, dims))}]" for dtype, dims in tensors) or None


def _memory_notes(traced: Traced, whole: float | None) -> list[str]:
    if whole is None:
        return ["memory: n/a (the framework's profiler does not tell what a layer allocates)"]
    if any(layer.memory_bytes is not None and layer.number("memory_bytes") is None for layer in traced.layers):
        return ["memory is the size of a layer's outputs, where the framework does not tell what it allocates"]
    return []
