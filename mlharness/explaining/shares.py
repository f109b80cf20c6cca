"""Where a run's time goes: shares of a query's latency, or of the workers' time, and Little's law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlharness.explaining.calls import Calls
from mlharness.explaining.evidence import Evidence

QUEUE, PREDICT, POSTPROCESS, HARNESS, IDLE = "queue", "predict", "postprocess", "harness", "idle"
PARTS = (QUEUE, PREDICT, POSTPROCESS, HARNESS, IDLE)
AGREE = 0.1
"""Two runs of one plan on a quiet machine differ by a few percent; more than a tenth is another load."""


@dataclass(frozen=True)
class Shares:
    """Parts of 1 by :data:`PARTS`; ``of`` says of what, ``mean_ns`` how long that is."""

    of: str
    mean_ns: float
    parts: Mapping[str, float]

    def __getitem__(self, part: str) -> float:
        return self.parts.get(part, 0.0)


def shares_of(evidence: Evidence) -> Shares | None:
    """The shares; None when there are no batches to tell.

    Offline every sample is there from the beginning, so that a query's latency says nothing: there they are shares of
    the workers' time, from the first batch's start to the last one's end, and ``idle`` is what lies between batches.
    """
    calls, queries = evidence.calls, evidence.queries
    if calls is None or queries is None:
        return None
    if evidence.setup.scenario == "Offline":
        parts = _parts(calls, 1, calls.window_ns * calls.workers)
        return Shares("the workers' time", float(calls.whole_ns.mean()), parts)
    latency = float(queries.latency_ns.mean())
    queue = float(queries.waited.mean()) / latency if latency else 0.0
    # each sample of a batch waits for all of it
    served = _parts(calls, calls.size, float((calls.whole_ns * calls.size).sum()))
    return Shares(
        "a query's latency", latency, {part: (1 - queue) * share for part, share in served.items()} | {QUEUE: queue}
    )


def _parts(calls: Calls, weights: Any, whole: float) -> dict[str, float]:
    """The parts of batches as shares of ``whole``; what they leave is idle time."""
    sums = {PREDICT: calls.predict_ns, POSTPROCESS: calls.postprocess_ns, HARNESS: calls.harness_ns}
    found = {part: float((spent * weights).sum()) / whole if whole else 0.0 for part, spent in sums.items()}
    return {**found, IDLE: max(0.0, 1 - sum(found.values()))}


@dataclass(frozen=True)
class Little:
    """Little's law: what is in the system is what comes in a second times how long it stays.

    ``expected`` is that of the measured run, by LoadGen's figures, ``counted`` what the trace's queries show on
    average; None Offline. ``in_service`` is how many batches the workers had in hand on average.
    """

    expected: float | None
    counted: float | None
    in_service: float
    instances: int
    open: bool
    """Queries come whether or not others are done: Server. Else there is one at a time, and nothing to check."""

    @property
    def holds(self) -> bool | None:
        """Whether the traced run had the load of the measured one; None when that cannot be told."""
        if not self.open or self.expected is None or self.counted is None:
            return None
        return abs(self.counted / self.expected - 1) <= AGREE

    @property
    def utilisation(self) -> float:
        """The share of time in which an instance has a batch in hand."""
        return min(1.0, self.in_service / self.instances)


def little_of(evidence: Evidence) -> Little | None:
    """Little's law on a run; None without batches. Source: J. Little, Operations Research 9 (1961)."""
    calls, queries, figures = evidence.calls, evidence.queries, evidence.figures
    if calls is None or queries is None:
        return None
    expected = counted = None
    if evidence.setup.scenario != "Offline" and len(queries) > 1:
        window = int(queries.end.max() - queries.start.min())
        counted = float(queries.latency_ns.sum()) / window
        if figures.queries_per_s and figures.mean_latency_ns:
            expected = figures.queries_per_s * figures.mean_latency_ns / 1e9
    setup, in_service = evidence.setup, float(calls.whole_ns.sum()) / calls.window_ns
    return Little(expected, counted, in_service, setup.instances, setup.scenario == "Server")
