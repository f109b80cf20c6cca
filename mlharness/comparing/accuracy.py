"""The difference of two accuracies. Here samples are the unit: a model answers the same in every run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

from mlharness.comparing.effects import POWER
from mlharness.comparing.runs import Run

_NORMAL = NormalDist()
_95 = _NORMAL.inv_cdf(0.975)


def accuracy_difference(a: Sequence[Run], b: Sequence[Run]) -> dict[str, Any] | None:
    """The accuracy of both sides, b - a with its 95 % interval, and a verdict; None unless both have one.

    The first run that has an accuracy speaks for its side. The interval is made of those of the two results, by
    Newcombe's method, as if the samples were different ones; for the same samples it is rather too wide.
    Source: R. G. Newcombe, Statistics in Medicine 17 (1998), method 10.
    """
    one, other = _first(a), _first(b)
    if one is None or other is None:
        return None
    ours, theirs = one.result["accuracy"], other.result["accuracy"]
    found = {
        "metric": ours["metric"],
        "unit": ours["unit"],
        "better": better(one),
        "a": _side(ours),
        "b": _side(theirs),
        "difference": theirs["value"] - ours["value"],
    }
    unlike = [key for key in ("metric", "unit") if ours[key] != theirs[key]]
    if unlike:
        return {**found, "difference": None, "interval": None, "smallest": None, "verdict": "not comparable"}
    interval = newcombe(ours, theirs)
    return {**found, "interval": interval, "smallest": _smallest(interval), "verdict": _verdict(interval, better(one))}


def better(run: Run) -> str | None:
    """Whether more of the metric is better; None when the plan is not there to tell."""
    metric = run.plan.get("metric")
    return None if metric is None else "higher" if metric["higher_is_better"] else "lower"


def newcombe(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[float] | None:
    """The interval of b - a, from value and interval of each; None when one has no interval."""
    if a["interval"] is None or b["interval"] is None:
        return None
    difference = b["value"] - a["value"]
    below = math.hypot(b["value"] - b["interval"][0], a["interval"][1] - a["value"])
    above = math.hypot(b["interval"][1] - b["value"], a["value"] - a["interval"][0])
    return [difference - below, difference + above]


def _first(runs: Sequence[Run]) -> Run | None:
    return next((run for run in runs if run.result["accuracy"]), None)


def _side(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in ("value", "n", "interval", "passed")}


def _smallest(interval: Sequence[float] | None) -> float | None:
    if interval is None:
        return None
    return (interval[1] - interval[0]) / 2 / _95 * (_95 + _NORMAL.inv_cdf(POWER))


def _verdict(interval: Sequence[float] | None, better: str | None) -> str:
    if interval is None:
        return "not enough data"
    if interval[0] <= 0 <= interval[1]:
        return "no difference seen"
    if better is None:
        return "higher" if interval[0] > 0 else "lower"
    return "better" if (interval[0] > 0) == (better == "higher") else "worse"
