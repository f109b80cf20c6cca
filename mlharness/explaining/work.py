"""The roofline: how many operations and bytes the layers took, and what the host could have done in that time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlharness.analysis.loading import trace_of
from mlharness.analysis.traced import Layer, Peaks
from mlharness.errors import RunError

WORTH = 0.5
"""Where operations and bytes are known of less than half of the layers' time, nothing is said of the whole."""


@dataclass(frozen=True)
class Work:
    """One layer in one call of the model: nanoseconds, operations and bytes, the last two estimated from shapes."""

    name: str
    ns: float
    flops: float
    bytes: float

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.flops / self.bytes


@dataclass(frozen=True)
class Roofline:
    """The work of the layers of which it is known, and the host's peaks; ``missing`` says why there is neither."""

    work: tuple[Work, ...] = ()
    peaks: Peaks | None = None
    missing: str = ""


NO_WORK = Roofline(missing="operations and bytes of the layers are not known")
NO_ROOFLINE = Roofline(missing="this needs the peaks of the host: mlh analyze RUN --explain measures them")


def least_ns(work: Work, peaks: Peaks) -> float:
    """The time in which the host can do this at best."""
    return 1e9 * max(work.flops / peaks.flops_per_s, work.bytes / peaks.bytes_per_s)


def read_roofline(run: Path, announce: Callable[[str], None]) -> Roofline:
    """The work of a run's layers. ``announce`` is told when the host's peaks have to be measured."""
    traced = trace_of(run, announce)
    for part in ("layers", "peaks"):
        if part in traced.missing:
            return Roofline(missing=traced.missing[part])
    work = known_work(traced.layers)
    share = sum(one.ns for one in work) / sum(layer.latency_ns for layer in traced.layers)
    if share < WORTH:
        return Roofline(missing=f"operations and bytes are known of {100 * share:.0f} % of the layers' time only")
    try:
        return Roofline(work, traced.peaks)
    except RunError as error:
        return Roofline(missing=error.message)


def known_work(layers: Sequence[Layer]) -> tuple[Work, ...]:
    """The layers of which operations and bytes are known."""
    found = [(layer, layer.work) for layer in layers]
    return tuple(
        Work(layer.name, work.latency_ns, work.flops, work.bytes)
        for layer, work in found
        if work.flops is not None and work.bytes
    )
