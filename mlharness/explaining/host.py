"""How the host did while a run was measured and traced: means of telemetry.csv, and of counters over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlharness import quality
from mlharness.monitor import FILE
from mlharness.telemetry import Sample, read_csv

MEASURED = "measure"

_COUNTERS = """
    SELECT name, unit, avg(value), max(value), avg(CASE WHEN value > 0 THEN 1.0 ELSE 0.0 END), count(*)
    FROM telemetry GROUP BY name, unit ORDER BY name, unit
"""


@dataclass(frozen=True)
class Counter:
    """Readings of one counter: mean and highest value, and the share of readings above 0."""

    name: str
    unit: str
    mean: float
    highest: float
    active: float
    count: int


@dataclass(frozen=True)
class Host:
    """Figures of the tests' time by the names of :data:`mlharness.quality.CRITERIA`, and all counters.

    ``clock_mhz`` is the mean clock, ``highest_mhz`` the highest; None where the host does not tell.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    clock_mhz: float | None = None
    highest_mhz: float | None = None
    counters: tuple[Counter, ...] = ()
    told: bool = False
    """Whether anything of the host was recorded."""


def read_host(run: Path, database: Any) -> Host:
    """The host during a run's tests."""
    counters = tuple(Counter(*row) for row in database.execute(_COUNTERS).fetchall())
    return with_samples(Host(counters=counters, told=bool(counters)), read_csv(run / FILE))


def with_samples(host: Host, samples: Sequence[Sample]) -> Host:
    """The same, with what telemetry.csv has of every test of the run, measured or traced."""
    kept = [sample for sample in samples if sample.phase == MEASURED and sample.seconds > 0]
    if not kept:
        return host
    figures = quality.mean(quality.measure_all(kept), [sample.seconds for sample in kept])
    clocks = [(sample.clock_mhz, sample.seconds) for sample in kept if sample.clock_mhz is not None]
    seconds = sum(length for _, length in clocks)
    return Host(
        figures,
        sum(clock * length for clock, length in clocks) / seconds if seconds else None,
        max((clock for clock, _ in clocks), default=None),
        host.counters,
        told=True,
    )
