"""A9 and A14: how near kernels and layers come to what this host can do at most.

Source: S. Williams, A. Waterman, D. Patterson, Roofline, Communications of the ACM 52 (2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlharness.analysis.kernels import bound_by
from mlharness.analysis.table import Column, Table, ratio
from mlharness.analysis.traced import MARKED, Layer, Peaks, Traced, Work, combined

_POINT = (
    Column("latency_ns", "ns"), Column("flops", "FLOP", True), Column("bytes", "bytes", True),
    Column("intensity", "FLOP/byte", True), Column("flops_per_s", "FLOP/s", True), Column("roof_flops_per_s", "FLOP/s"),
    Column("attained", "share", True), Column("bound"),
)  # fmt: skip


def kernel_roofline(traced: Traced) -> Table:
    """A9. Every kernel's operations a byte and a second, the roof above it, and what limits it."""
    columns = (Column("kernel", "count"), Column("name"), Column("type"), Column("layer", "count"), *_POINT)
    peaks = traced.peaks
    rows = [
        [kernel.index, kernel.name, kernel.kind, kernel.layer, *_point(kernel.work, peaks)] for kernel in traced.kernels
    ]
    return Table(columns, rows, "latency_ns", [*traced.work_notes, peaks.how])


def layer_roofline(traced: Traced) -> Table:
    """A14. The same of every layer, over the layer's own latency."""
    columns = (Column("layer", "count"), Column("name"), Column("type"), *_POINT)
    peaks = traced.peaks
    rows = [[layer.index, layer.name, layer.kind, *_point(layer_work(traced, layer), peaks)] for layer in traced.layers]
    return Table(columns, rows, "latency_ns", [MARKED, peaks.how])


def layer_work(traced: Traced, layer: Layer) -> Work:
    """What a layer does: as its own shapes tell, and where they do not, its kernels."""
    kernels = combined([kernel.work for kernel in traced.kernels_of.get(layer.index, ())])
    flops, moved = layer.work.flops, layer.work.bytes
    return Work(
        layer.latency_ns,
        kernels.flops if flops is None else flops,
        kernels.bytes if moved is None else moved,
        kernels.occupancy,
    )


def _point(work: Work, peaks: Peaks) -> Sequence[Any]:
    """A point under the roof; nothing is said of work whose operations or bytes are unknown.

    What moves bytes and computes nothing has no height, so that its distance from the roof is told by its bytes; below
    the slanted part of the roof both say the same.
    """
    bound = bound_by(work, peaks.ridge)
    roof = None if work.intensity is None else peaks.roof(work.intensity)
    attained = ratio(work.flops_per_s, roof) if bound == "compute" else ratio(work.bytes_per_s, peaks.bytes_per_s)
    return [work.latency_ns, work.flops, work.bytes, work.intensity, work.flops_per_s, roof,
            attained if bound else None, bound]  # fmt: skip
