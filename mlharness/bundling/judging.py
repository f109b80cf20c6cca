"""Whether runs that were made of a bundle reproduce its run, and within what."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlharness import likeness
from mlharness.comparing.accuracy import accuracy_difference
from mlharness.comparing.effects import geometric_mean
from mlharness.comparing.fairness import differences
from mlharness.comparing.metrics import Metric, metrics_of
from mlharness.comparing.runs import Run
from mlharness.comparing.verdict import LEAST_RUNS
from mlharness.stats import t_quantile

SCHEMA_VERSION = 1
WITHIN = 1.0
"""How far the figure may be from the bundle's, by default: a factor of two. One run says nothing of its spread; where
others use the machine, percentiles of two runs differ by tens of percent; at half the speed, the setup is another."""
ACCURACY_WITHIN = 0.01
"""How far an accuracy may be from the bundle's, as a share of it: a model of 99 % of the reference's accuracy is still
the same model to MLPerf."""
CONFIDENCE = 0.95
_ASIDE = ("versions", "outputs")
"""Aspects that are told in words of their own."""


def judge(bundle: Run, made: Sequence[Run], within: float) -> dict[str, Any]:
    """The document of ``mlh reproduce``, as far as it follows from the runs.

    Args:
        bundle: the run of the bundle.
        made: the runs that were made of it, in the order of their making.
        within: how far the figure that decides may be from the bundle's, as a share of it.
    """
    metrics = metrics_of([bundle], made) if all(run.result["metric"] for run in (bundle, *made)) else []
    described = [describe(metric, bundle, made, within) for metric in metrics]
    accuracy = accuracy_difference([bundle], made)
    reasons = [*of_status(bundle, made), *of_outputs(bundle, made), *of_figures(described), *of_accuracy(accuracy)]
    found = [one for one in differences(bundle, made[0]) if one.aspect not in _ASIDE]
    reasons += [f"{one.aspect}: {one.unfair} ({one.name})" for one in found if one.unfair]
    return {
        "schema_version": SCHEMA_VERSION,
        "reproduced": not reasons,
        "within": within,
        "reasons": reasons,
        "runs": [run.id for run in made],
        "metrics": described,
        "accuracy": accuracy,
        "differences": [
            {"aspect": one.aspect, "name": one.name, "bundle": one.a, "here": one.b} for one in found
        ],
    }  # fmt: skip


def describe(metric: Metric, bundle: Run, made: Sequence[Run], within: float) -> dict[str, Any]:
    """One figure: the bundle's, those of the runs, and their ratio with its interval, if there are runs enough."""
    then, values = metric.read(bundle), [metric.read(run) for run in made]
    usable = not metric.problem and min([then, *values]) > 0
    ratio = geometric_mean(values) / then if usable else None
    return {
        "name": metric.name,
        "unit": metric.unit,
        "better": metric.better,
        "decides": metric.figure,
        "bundle": then,
        "values": values,
        "ratio": ratio,
        "interval": interval(then, values) if usable else None,
        "holds": ratio is not None and near(ratio, within),
        "problem": metric.problem or None,
    }


def near(ratio: float, within: float) -> bool:
    """Whether two figures are so near, whichever is the larger."""
    # a hair for rounding: the same figure is as near as 0 % asks for
    return abs(math.log(ratio)) <= math.log1p(within) + 1e-12


def interval(then: float, values: Sequence[float]) -> list[float] | None:
    """The interval of the ratio; None with too few runs.

    The bundle has one run, whose spread nobody knows; it is taken to be that of the runs made here. So the interval is
    that in which one more run of this host would lie (a prediction interval of Student's t, on logarithms).
    """
    if len(values) < LEAST_RUNS:
        return None
    logs = [math.log(value / then) for value in values]
    count = len(logs)
    half = t_quantile((1 + CONFIDENCE) / 2, count - 1.0) * statistics.stdev(logs) * math.sqrt(1 + 1 / count)
    centre = statistics.fmean(logs)
    return [math.exp(centre - half), math.exp(centre + half)]


def of_status(bundle: Run, made: Sequence[Run]) -> Iterator[str]:
    """Runs that ended otherwise."""
    for run in made:
        if run.result["status"] != bundle.result["status"]:
            why = "; ".join(run.result["invalid_reasons"])
            yield f"run {run.id} is {run.result['status']}, and the bundle's is {bundle.result['status']}" + (
                f": {why}" if why else ""
            )


def of_outputs(bundle: Run, made: Sequence[Run]) -> Iterator[str]:
    """Outputs on the same samples that differ by more than rounding."""
    first = bundle.result["fingerprint"]
    for run in made:
        here = run.result["fingerprint"]
        if first is None or here is None:
            continue
        told, alike = likeness.compare(first, here, "the bundle")
        if not alike:
            yield f"outputs: {told}"


def of_figures(described: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The figure that decides, when it is too far away."""
    for metric in described:
        if metric["decides"] and not metric["holds"]:
            if metric["ratio"] is None:
                yield f"{metric['name']} cannot be compared: {metric['problem'] or 'a value is not positive'}"
            else:
                yield f"{metric['name']} is {100 * (metric['ratio'] - 1):+.1f} % against the bundle"


def of_accuracy(found: Mapping[str, Any] | None) -> Iterator[str]:
    """An accuracy that is another."""
    if found is None or found["difference"] == 0:
        return
    if found["difference"] is None:
        yield "the accuracies are not of one kind"
        return
    share = abs(found["difference"]) / (abs(found["a"]["value"]) or 1.0)
    if share > ACCURACY_WITHIN or found["verdict"] in ("better", "worse", "higher", "lower"):
        yield f"{found['metric']} was {found['a']['value']:.6g} {found['unit']}, and is {found['b']['value']:.6g} here"
    if found["a"]["passed"] and found["b"]["passed"] is False:
        yield f"{found['metric']} met its target, and does not here"
