"""Which figures of runs are compared, which way is better, and their values, one of each run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mlharness.comparing.runs import Run

Better = Literal["lower", "higher"]
PERCENTILES = ("p50", "p90", "p99")
_QUERIES = ("SingleStream", "MultiStream", "Server")
"""Scenarios with a latency of a query; Offline's are times since the one query came."""


@dataclass(frozen=True)
class Metric:
    """A figure that each run has; ``figure`` marks the one that decides. ``problem`` says why not to compare it."""

    name: str
    unit: str
    better: Better
    figure: bool
    read: Callable[[Run], float]
    problem: str = ""


def metrics_of(a: Sequence[Run], b: Sequence[Run]) -> list[Metric]:
    """The metrics that all runs of two groups have, the deciding one first.

    That is LoadGen's figure; for Server at a rate that the user gave it is the 99th percentile, since the figure is
    that rate again.
    """
    runs = [*a, *b]
    if any(run.result["metric"] is None for run in runs):
        return []
    scenarios = {run.result["scenario"] for run in runs}
    at_a_rate = scenarios == {"Server"} and not any(run.searched for run in runs)
    found = [_figure(runs, decides=not at_a_rate)]
    if scenarios <= set(_QUERIES):
        found += [_percentile(name, runs, at_a_rate and name == "p99") for name in PERCENTILES]
    return sorted(found, key=lambda metric: not metric.figure)


def _figure(runs: Sequence[Run], decides: bool) -> Metric:
    names = {run.result["metric"]["name"] for run in runs}
    first = runs[0].result["metric"]
    better: Better = "lower" if first["unit"] == "ns" else "higher"
    problem = "" if len(names) == 1 else f"the runs' figures are not of one kind: {', '.join(sorted(names))}"
    return Metric(
        first["name"], first["unit"], better, decides, lambda run: float(run.result["metric"]["value"]), problem
    )


def _percentile(name: str, runs: Sequence[Run], decides: bool) -> Metric:
    scenarios = {run.result["scenario"] for run in runs}
    problem = ""
    if len(scenarios) > 1:
        problem = f"latencies of {' and '.join(sorted(scenarios))} are not of one kind"
    elif any(run.searched for run in runs):
        problem = "each run has the latency of its own rate, which was searched"
    return Metric(name, "ns", "lower", decides, lambda run: float(run.result["latency_ns"][name]), problem)
