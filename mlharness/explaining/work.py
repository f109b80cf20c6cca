"""The roofline: how many operations and bytes the layers took, and what the machine could have done in that time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """All of one operator type in one call of the model: nanoseconds, operations and bytes, estimated from shapes."""

    kind: str
    ns: float
    flops: float
    bytes: float

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.flops / self.bytes


@dataclass(frozen=True)
class Peaks:
    """What the host can do at most, measured: operations and bytes a second."""

    flops_per_s: float
    bytes_per_s: float

    @property
    def ridge(self) -> float:
        """Operations a byte above which operations are the limit, not memory."""
        return self.flops_per_s / self.bytes_per_s

    def least_ns(self, work: Work) -> float:
        """The time in which the host can do this at best."""
        return 1e9 * max(work.flops / self.flops_per_s, work.bytes / self.bytes_per_s)


@dataclass(frozen=True)
class Roofline:
    """Work by falling time, and the host's peaks; ``missing`` says why there is neither."""

    work: tuple[Work, ...] = ()
    peaks: Peaks | None = None
    missing: str = ""


NO_WORK = Roofline(missing="operations and bytes of layers are not known")


def read_roofline(run: Path) -> Roofline:
    """The work of a run's layers."""
    return NO_WORK
