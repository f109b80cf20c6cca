"""Batches so small that the cost of a call outweighs its work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlharness.explaining.calls import Calls
from mlharness.explaining.evidence import Evidence
from mlharness.explaining.rules.rule import THROUGHPUT, Fact, Finding, Gain, Rule, Unsaid, duration, percent
from mlharness.explaining.shares import QUEUE, little_of, shares_of

WORTH = 0.15
LARGER = 8
"""So many times as large is the batch for which a gain is predicted."""
WAITING = 0.1
"""Server's batches can only grow when queries wait ..."""
BUSY = 0.5
"""... and need not where workers have little to do."""
ENOUGH = 20
"""Batches of one size that make a point of the fit."""


@dataclass(frozen=True)
class Cost:
    """What a call of the model costs, however few samples it has, beside all that its batch takes; nanoseconds."""

    fixed: float
    whole: float
    how: str

    @property
    def share(self) -> float:
        """The part of the batch's time that does not grow with its samples."""
        return min(1.0, self.fixed / self.whole) if self.whole else 0.0


def judge(evidence: Evidence) -> Finding | Unsaid | None:
    """The fixed cost of a call is a large part of the time of a batch, and batches could be larger."""
    calls, shares = evidence.calls, shares_of(evidence)
    scenario = evidence.setup.scenario
    if calls is None or shares is None or scenario not in ("Offline", "Server"):
        return None
    little = little_of(evidence)
    if scenario == "Server" and (shares[QUEUE] < WAITING or little is None or little.utilisation < BUSY):
        return None
    fitted = fit(calls)
    cost = fitted or explained(evidence, calls)
    if cost.share < WORTH:
        known = fitted is not None or evidence.layers is not None
        return (
            None if known else Unsaid("batches have one size, and without the framework level a call's cost is unknown")
        )
    size = float(calls.size.mean())
    factor = cost.whole / (cost.whole - cost.fixed + cost.fixed / LARGER)
    return Finding(
        f"Batches have {size:.3g} {'sample' if size == 1 else 'samples'}, and {percent(cost.share)} of a batch's "
        f"{duration(cost.whole)} is the cost of the call itself.",
        (Fact("mean samples of a batch", size), Fact("cost of a call, whatever its size", cost.fixed, "ns"),
         Fact("time of a batch", cost.whole, "ns"), Fact("share of that cost", cost.share, "share")),
        f"--batch-size {max(LARGER, round(LARGER * size))}" + ("" if scenario == "Offline" else " --max-wait 1"),
        cost.share,
        Gain(THROUGHPUT, factor,
             f"{cost.how}; a batch {LARGER} times as large shares {duration(cost.fixed)} among {LARGER} times as many "
             "samples, if the layers' time grows with the samples"),
    )  # fmt: skip


def fit(calls: Calls) -> Cost | None:
    """From batches of several sizes: the time of one without samples, by least squares over the sizes' medians."""
    sizes = [int(size) for size in np.unique(calls.size) if (calls.size == size).sum() >= ENOUGH]
    if len(sizes) < 2:
        return None
    medians = [float(np.median(calls.whole_ns[calls.size == size])) for size in sizes]
    slope, fixed = np.polyfit(sizes, medians, 1)
    if slope <= 0 or fixed <= 0:
        return None
    how = f"{duration(fixed)} a call and {duration(slope)} a sample fit batches of {min(sizes)} to {max(sizes)} samples"
    return Cost(float(fixed), float(np.mean(medians)), how)


def explained(evidence: Evidence, calls: Calls) -> Cost:
    """From one size: the harness's part, and what of predict no layer explains, where layers are known.

    Times are those of the measured run where they are less: tracing has its cost, and a profiler's falls between the
    layers, too. To the harness's part belongs what comes after the samples were completed, which delays the next batch.
    """
    layers, figures = evidence.layers, evidence.figures
    traced, parts = float(np.median(calls.predict_ns)), float(np.median(calls.harness_ns))
    predict = min(traced, figures.predict_ns or traced)
    between = gap(calls) if evidence.setup.scenario == "Offline" else 0.0
    harness = min(parts + between, figures.harness_ns or parts + between)
    beside = max(0.0, predict - layers.layers_ns / layers.calls) if layers else 0.0
    whole = float(np.median(calls.postprocess_ns)) + predict + harness
    how = (
        f"{duration(harness)} to gather inputs and hand over responses, and {duration(beside)} of predict "
        "that no layer explains"
    )
    return Cost(beside + harness, whole, how)


def gap(calls: Calls) -> float:
    """The median time between two batches of a worker, nanoseconds: Offline there is always a next one."""
    order = np.lexsort((calls.start, calls.instance))
    same = np.diff(calls.instance[order]) == 0
    gaps = (calls.start[order][1:] - calls.end[order][:-1])[same]
    return float(np.median(gaps)) if len(gaps) else 0.0


RULE = Rule("batch", "the cost of a call is 15 % or more of a batch's time", ("application", "model"), judge)
