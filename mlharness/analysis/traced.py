"""A traced run as the analyses see it: its result, and a layer and a kernel for each that its calls have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlharness.analysis.deduced import deduce_outputs
from mlharness.analysis.flops import Tensor, moved_bytes, operations, tensors

MARKED = "operations and bytes are estimated from shapes"


@dataclass(frozen=True)
class Peaks:
    """What a host can do at most, measured: operations and bytes a second. ``how`` says in words how it was found."""

    flops_per_s: float
    bytes_per_s: float
    how: str

    @property
    def ridge(self) -> float:
        """Operations a byte from which on operations are the limit, not memory."""
        return self.flops_per_s / self.bytes_per_s

    def roof(self, intensity: float) -> float:
        """Operations a second that are possible at so many operations a byte."""
        return min(self.flops_per_s, intensity * self.bytes_per_s)


@dataclass(frozen=True)
class BatchSize:
    """All calls of the model with so many samples: the trimmed mean of their latency."""

    batch: int
    calls: int
    latency_ns: float


@dataclass(frozen=True)
class Work:
    """What a part of a model does in one call; None where it is not known. ``occupancy`` is a GPU's, 0 to 1."""

    latency_ns: float
    flops: float | None = None
    bytes: float | None = None
    occupancy: float | None = None

    @property
    def intensity(self) -> float | None:
        """Operations a byte."""
        return None if self.flops is None or not self.bytes else self.flops / self.bytes

    @property
    def flops_per_s(self) -> float | None:
        """Operations a second."""
        return None if self.flops is None or not self.latency_ns else 1e9 * self.flops / self.latency_ns

    @property
    def bytes_per_s(self) -> float | None:
        """Bytes a second."""
        return None if self.bytes is None or not self.latency_ns else 1e9 * self.bytes / self.latency_ns


@dataclass(frozen=True)
class Part:
    """What a layer and a kernel have in common. ``attributes`` are those of the latest repetition."""

    index: int
    name: str
    kind: str
    latency_ns: float
    repetitions: int
    attributes: Mapping[str, Any]
    layer: int | None = None
    """The place of a kernel's layer; None for none, and for a layer."""
    deciles_ns: Sequence[float] = ()
    """The 10th, 50th and 90th percentile of its latency."""

    def number(self, key: str) -> float | None:
        """An attribute that is a number, else None."""
        value = self.attributes.get(key)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Layer(Part):
    """A layer: an operator of the framework that stands under no other. ``following`` are the inputs of the next."""

    following: Sequence[Tensor] = ()

    @cached_property
    def inputs(self) -> list[Tensor]:
        """Dtype and dims of each, weights included; nothing where the framework does not tell."""
        return tensors(self.attributes.get("inputs"))

    @cached_property
    def outputs(self) -> list[Tensor]:
        """Dtype and dims of each, deduced where the framework does not tell."""
        told = tensors(self.attributes.get("outputs"))
        return told or deduce_outputs(self.kind, self.inputs, self.following)

    @property
    def memory_bytes(self) -> float | None:
        """What it allocates: as the framework says, else the size of its outputs."""
        told = self.number("memory_bytes")
        return told if told is not None else self.number("output_bytes")

    @cached_property
    def work(self) -> Work:
        """As its source says, else estimated from its shapes."""
        flops, moved = self.number("flops"), self.number("bytes")
        if flops is None:
            flops = operations(self.kind, self.inputs, self.outputs)
        if moved is None:
            moved = moved_bytes(self.kind, self.inputs, self.outputs)
        return Work(self.latency_ns, flops, moved)


@dataclass(frozen=True)
class Kernel(Part):
    """A kernel: of a GPU, or a primitive of the library."""

    @cached_property
    def work(self) -> Work:
        """As its source says."""
        return Work(self.latency_ns, self.number("flops"), self.number("bytes"), self.number("occupancy"))


@dataclass(frozen=True)
class Traced:
    """A traced run.

    ``layers`` and ``kernels`` are those of the calls with the most common batch size, ``batches[0]``, in the order in
    which they run; ``layers_share`` and ``kernels_share`` what part of a call they take together. ``missing`` says why
    there are none of ``layers``, ``kernels`` or ``peaks``. ``layer_batches`` are the calls that have these layers:
    those of ``batches``, unless leveled runs tell the latency of calls by others.
    """

    result: Mapping[str, Any]
    batches: Sequence[BatchSize]
    layer_batches: Sequence[BatchSize]
    layers: Sequence[Layer]
    kernels: Sequence[Kernel]
    layers_share: float | None
    kernels_share: float | None
    on_gpu: bool
    missing: Mapping[str, str]
    measure_peaks: Callable[[], Peaks]

    @cached_property
    def peaks(self) -> Peaks:
        """Of the host of the run; measured when they are asked for the first time on this host."""
        return self.measure_peaks()

    @cached_property
    def kernels_of(self) -> Mapping[int, Sequence[Kernel]]:
        """The kernels of each layer, by its index; those under no layer are left out."""
        found: dict[int, list[Kernel]] = {}
        for kernel in self.kernels:
            if kernel.layer is not None:
                found.setdefault(kernel.layer, []).append(kernel)
        return found

    @property
    def kernel_notes(self) -> list[str]:
        """What a reader of figures about kernels must know."""
        notes = [] if self.on_gpu else ["kernels are the library's primitives"]
        lost = sum(kernel.layer is None for kernel in self.kernels)
        return [*notes, f"{lost} of {len(self.kernels)} kernels stand under no layer"] if lost else notes

    @property
    def work_notes(self) -> list[str]:
        """The same, where their operations, bytes and occupancy are shown, too."""
        notes = self.kernel_notes
        if any(kernel.attributes.get("estimated") for kernel in self.kernels):
            notes.append(MARKED)
        if all(kernel.work.flops is None for kernel in self.kernels):
            notes.append("operations and bytes: n/a (the source tells none)")
        if all(kernel.work.occupancy is None for kernel in self.kernels):
            why = "the source tells none" if self.on_gpu else "a processor has none"
            notes.append(f"occupancy: n/a ({why})")
        return notes

    @property
    def layer_notes(self) -> list[str]:
        """What a reader of figures about layers must know."""
        most, *others = self.layer_batches
        notes = [f"{most.calls} calls of the model with a batch of {most.batch}; trimmed means"]
        left = sum(size.calls for size in others)
        if left:
            notes.append(f"{left} calls with other batches are left out")
        rare = sum(layer.repetitions < most.calls for layer in self.layers)
        if rare:
            notes.append(f"{rare} layers did not run in every call, or their spans were lost")
        return notes


def combined(works: Sequence[Work]) -> Work:
    """Several as one: sums of what is known, and the occupancy weighted by latency."""
    latency = sum(work.latency_ns for work in works)
    flops = [work.flops for work in works if work.flops is not None]
    moved = [work.bytes for work in works if work.bytes is not None]
    busy = [(work.occupancy, work.latency_ns) for work in works if work.occupancy is not None]
    weight = sum(latency_ns for _, latency_ns in busy)
    return Work(
        latency,
        sum(flops) if flops else None,
        sum(moved) if moved else None,
        sum(occupancy * latency_ns for occupancy, latency_ns in busy) / weight if weight else None,
    )
