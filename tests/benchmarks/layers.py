"""Which share of a call's time the layers of each framework's trace take: how well its tracer explains a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlharness.testing import layers_of
from tests.benchmarks.frameworks import Asked, each
from tests.benchmarks.measure import Row, median, mlh_bench, spread

SCENARIOS = ("SingleStream", "Offline")
TRACED = ("--trace", "model,framework", "--duration", "2")
LEAST = 0.9


def rows(root: Path, repeat: int, asked: Asked) -> Iterator[Row]:
    """For each framework and model: the median over a run's calls, and of ``repeat`` runs the median of those."""

    def of_one(model: str, framework: str) -> Iterator[Row]:
        for scenario in SCENARIOS:
            shares = [share(root, model, framework, scenario) for _ in range(repeat)]
            what = f"{model} on {framework}, {scenario}: share of a call that its layers take"
            yield Row(what, f"{LEAST:g} or more", spread(shares, "{:.3f}"), median(shares) >= LEAST)

    return each(asked, of_one)


def share(root: Path, model: str, framework: str, scenario: str) -> float:
    """The median of one traced run: a call that was taken from its core says little of the tracer."""
    _, run = mlh_bench(root, model, "--framework", framework, "--scenario", scenario, *TRACED)
    return median([call.share for call in layers_of(run)])
