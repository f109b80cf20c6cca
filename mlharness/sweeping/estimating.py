"""How long a sweep is going to take: the duration of its tests, and what earlier runs took beside theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from mlharness.errors import StoreError
from mlharness.sweeping.cells import Cell

TEST_S = {"quick": 10.0, "mlperf": 600.0}
"""How long a performance test lasts at least, by its rules."""
SET_UP_S = 15.0
"""What a run takes beside its test where no earlier run tells: starting, loading, calibrating, closing."""
LOOKED_AT = 500
"""How many of the latest runs are looked at."""
_COLUMNS = ("model", "framework", "scenario", "mode", "started", "finished", "duration_s")

Key = tuple[str, ...]


@dataclass(frozen=True)
class Estimator:
    """What earlier valid runs took beside their test, in seconds, by what they have in common with a cell."""

    beside: Mapping[Key, Sequence[float]] = field(default_factory=dict)

    def seconds(self, cell: Cell) -> float:
        """How long one run of a cell should take."""
        mode = cell.settings.get("mode", "performance")
        test = cell.settings.get("duration") or TEST_S[cell.settings.get("rules", "quick")]
        name = (cell.framework or "").partition("==")[0]
        known = (self.beside.get(key) for key in keys(cell.model, name, cell.scenario, mode))
        return (0.0 if mode == "accuracy" else float(test)) + median(next(filter(None, known), [SET_UP_S]))

    @property
    def basis(self) -> str:
        """What the estimate stands on, in words."""
        runs = len(self.beside.get((), ()))
        if not runs:
            return f"no earlier run tells what one takes beside its test: {SET_UP_S:g} s are assumed"
        return f"what a run takes beside its test is that of {runs} earlier run{'s' if runs > 1 else ''}"


def keys(model: str, framework: str, scenario: str, mode: str) -> Iterator[Key]:
    """What a run has in common with others, the most first."""
    yield (model, framework, scenario, mode)
    yield (framework, scenario, mode)
    yield (scenario, mode)
    yield ()


def learn(rows: Sequence[Mapping[str, Any]]) -> Estimator:
    """An estimator from rows of the store."""
    beside: dict[Key, list[float]] = {}
    for row in rows:
        took = (row["finished"] - row["started"]).total_seconds() - (row["duration_s"] or 0.0)
        for key in keys(row["model"], row["framework"], row["scenario"], row["mode"]):
            beside.setdefault(key, []).append(max(0.0, took))
    return Estimator(beside)


def from_store() -> Estimator:
    """An estimator from the user's latest runs; one that knows nothing when the store cannot be read."""
    from mlharness.store.opening import open_store  # the database's libraries take a quarter of a second
    from mlharness.store.querying import Filter, list_runs

    try:
        return learn(list_runs(open_store(), Filter(statuses=("valid",)), LOOKED_AT, _COLUMNS))
    except StoreError:
        return Estimator()
