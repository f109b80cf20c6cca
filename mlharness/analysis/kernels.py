"""A8, A10 to A13 and A15: the kernels below the layers, one by one, by name, by layer, and of the whole model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlharness.analysis.table import Column, Table, ratio, total
from mlharness.analysis.traced import Kernel, Traced, Work, combined

_LAYER = (Column("layer", "count"), Column("layer_name"), Column("layer_type"))
WORK = (
    Column("flops", "FLOP", True), Column("bytes", "bytes", True), Column("intensity", "FLOP/byte", True),
    Column("flops_per_s", "FLOP/s", True), Column("bytes_per_s", "bytes/s", True), Column("occupancy", "share"),
)  # fmt: skip
"""What is known of the work of a kernel, or of several."""


def kernel_information(traced: Traced) -> Table:
    """A8. Every kernel in order of execution, with its layer and its work."""
    columns = (Column("kernel", "count"), Column("name"), Column("type"), Column("shape"), Column("layer", "count"),
               Column("latency_ns", "ns"), *WORK)  # fmt: skip
    rows = [
        [kernel.index, kernel.name, kernel.kind, kernel.attributes.get("shape"), kernel.layer, kernel.latency_ns,
         *_work(kernel.work)]
        for kernel in traced.kernels
    ]  # fmt: skip
    return Table(columns, rows, "latency_ns", traced.work_notes)


def kernels_by_name(traced: Traced) -> Table:
    """A10. All kernels of one name (and type) together: how many, their latency and their share of it."""
    named: dict[tuple[str, str], list[Kernel]] = {}
    for kernel in traced.kernels:
        named.setdefault((kernel.name, kernel.kind), []).append(kernel)
    whole = sum(kernel.latency_ns for kernel in traced.kernels)
    works = {name: combined([kernel.work for kernel in kernels]) for name, kernels in named.items()}
    rows = [
        [*name, len(named[name]), work.latency_ns, ratio(work.latency_ns, whole), *_work(work)]
        for name, work in sorted(works.items(), key=lambda item: -item[1].latency_ns)
    ]
    columns = (Column("name"), Column("type"), Column("kernels", "count"), Column("latency_ns", "ns"),
               Column("share", "share"), *WORK)  # fmt: skip
    return Table(columns, rows, "latency_ns", traced.work_notes)


def kernels_by_layer(traced: Traced) -> Table:
    """A11. The kernels of each layer together: how many, and their latency beside the layer's."""
    columns = (*_LAYER, Column("layer_latency_ns", "ns"), Column("kernels", "count"), Column("latency_ns", "ns"), *WORK)
    rows = []
    for layer in traced.layers:
        work = combined([kernel.work for kernel in _kernels(traced, layer.index)])
        count = len(_kernels(traced, layer.index))
        rows.append([*_name(traced, layer.index), layer.latency_ns, count, work.latency_ns, *_work(work)])
    return Table(columns, rows, "latency_ns", traced.work_notes)


def metrics_by_layer(traced: Traced) -> Table:
    """A12. Operations and bytes of each layer's kernels, and their shares of all layers'."""
    works = [combined([kernel.work for kernel in _kernels(traced, layer.index)]) for layer in traced.layers]
    flops, moved = total([work.flops for work in works]), total([work.bytes for work in works])
    rows = [
        [*_name(traced, layer.index), work.flops, ratio(work.flops, flops), work.bytes, ratio(work.bytes, moved),
         work.occupancy]
        for layer, work in zip(traced.layers, works, strict=True)
    ]  # fmt: skip
    columns = (*_LAYER, Column("flops", "FLOP", True), Column("flops_share", "share", True),
               Column("bytes", "bytes", True), Column("bytes_share", "share", True),
               Column("occupancy", "share"))  # fmt: skip
    return Table(columns, rows, "flops", traced.work_notes)


def kernel_time(traced: Traced) -> Table:
    """A13. Of each layer's latency, what its kernels take, and the rest."""
    columns = (*_LAYER, Column("latency_ns", "ns"), Column("kernel_ns", "ns"), Column("non_kernel_ns", "ns"),
               Column("kernel_share", "share"))  # fmt: skip
    rows: list[Sequence[Any]] = []
    longer = 0
    for layer in traced.layers:
        kernels = sum(kernel.latency_ns for kernel in _kernels(traced, layer.index))
        longer += kernels > layer.latency_ns
        rest = max(layer.latency_ns - kernels, 0.0)
        share = ratio(min(kernels, layer.latency_ns), layer.latency_ns)
        rows.append([*_name(traced, layer.index), layer.latency_ns, kernels, rest, share])
    notes = traced.kernel_notes
    if longer:
        notes.append(f"the kernels of {longer} layers last longer than the layer: they run on after it has returned")
    return Table(columns, rows, "latency_ns", notes)


def kernels_by_model(traced: Traced) -> Table:
    """A15. All kernels of a call of the model together, beside the call's latency; bound as by the roofline."""
    work, size = combined([kernel.work for kernel in traced.kernels]), traced.batches[0]
    columns = (Column("batch", "count"), Column("predict_ns", "ns"), Column("kernels", "count"),
               Column("latency_ns", "ns"), Column("kernel_share", "share"), *WORK, Column("bound"))  # fmt: skip
    notes, bound = traced.work_notes, None
    if "peaks" in traced.missing:
        notes.append(f"bound: n/a ({traced.missing['peaks']})")
    elif work.intensity is not None:
        bound = bound_by(work, traced.peaks.ridge)
        notes.append(traced.peaks.how)
    row = [size.batch, size.latency_ns, len(traced.kernels), work.latency_ns, traced.kernels_share, *_work(work), bound]
    return Table(columns, [row], "", notes)


def bound_by(work: Work, ridge: float) -> str | None:
    """What limits the work: ``memory`` left of the ridge (operations a byte), else ``compute``; None when unknown."""
    if work.intensity is None:
        return None
    return "memory" if work.intensity < ridge else "compute"


def _kernels(traced: Traced, layer: int) -> Sequence[Kernel]:
    return traced.kernels_of.get(layer, ())


def _name(traced: Traced, layer: int) -> list[Any]:
    found = traced.layers[layer]
    return [found.index, found.name, found.kind]


def _work(work: Work) -> list[float | None]:
    return [work.flops, work.bytes, work.intensity, work.flops_per_s, work.bytes_per_s, work.occupancy]
