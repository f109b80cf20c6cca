"""What a comparison says in one word, and whether that is what a user wants to fail on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlharness.comparing.effects import Effect
from mlharness.comparing.metrics import Better
from mlharness.errors import UserError, did_you_mean

LEAST_RUNS = 5
"""Fewer runs a side are not enough: the spread of three or four runs says next to nothing of their machine."""
Verdict = Literal["faster", "slower", "no difference seen", "not enough data", "not comparable", "not ranked"]
_CONDITION = re.compile(r"(?:(?P<metric>[\w.]+):)?(?P<verdict>[a-z]+):(?P<percent>\d+(?:\.\d+)?)\s*%", re.IGNORECASE)


def verdict_of(effect: Effect, better: Better) -> Verdict:
    """Faster or slower when the interval says so."""
    if not effect.seen:
        return "no difference seen"
    return "faster" if (effect.ratio > 1) == (better == "higher") else "slower"


@dataclass(frozen=True)
class Condition:
    """``[METRIC:]slower:3%``: B is seen to be slower, and by so much of A; an empty metric is the one that decides."""

    text: str
    metric: str
    verdict: str
    share: float

    def holds(self, comparison: Mapping[str, Any]) -> bool:
        """Whether a comparison (one of a document's ``comparisons``) shows this.

        Raises:
            UserError: the comparison cannot answer: it was not ranked, has no such metric, or not enough data.
        """
        metric = self.find(comparison)
        if metric["verdict"] not in ("faster", "slower", "no difference seen"):
            why = metric["problem"] or metric["verdict"]
            raise UserError(f"--fail-if {self.text}: {metric['name']} has no answer: {why}", remedy_of(comparison))
        change = metric["ratio"] - 1
        amount = change if (metric["better"] == "lower") == (self.verdict == "slower") else -change
        return bool(metric["verdict"] == self.verdict and amount >= self.share)

    def too_fine(self, comparison: Mapping[str, Any]) -> bool:
        """True when a change of the condition's size would have been overlooked too often to rely on the check."""
        smallest = self.find(comparison)["smallest"]
        return smallest is not None and bool(smallest > self.share)

    def find(self, comparison: Mapping[str, Any]) -> Mapping[str, Any]:
        """The metric that is asked about."""
        metrics: Sequence[Mapping[str, Any]] = comparison["metrics"]
        if not metrics:
            raise UserError(f"--fail-if {self.text}: there is no figure to compare", remedy_of(comparison))
        for metric in metrics:
            if metric["name"] == self.metric or (not self.metric and metric["decides"]):
                return metric
        names = [str(metric["name"]) for metric in metrics]
        raise UserError(f"--fail-if {self.text}: no metric is called {self.metric!r}", did_you_mean(self.metric, names))


def check_all(comparisons: Sequence[Mapping[str, Any]], conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Every condition on every comparison. Raises UserError for one that has no answer."""
    return [
        {
            "condition": condition.text,
            "a": comparison["a"],
            "b": comparison["b"],
            "failed": condition.holds(comparison),
            "too_fine": condition.too_fine(comparison),
        }
        for condition in conditions
        for comparison in comparisons
    ]


def parse_condition(text: str) -> Condition:
    """A condition of ``--fail-if``. Raises UserError for anything else."""
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise UserError(f"--fail-if {text!r} is no condition", "Write --fail-if slower:3%, or --fail-if p99:slower:3%.")
    verdict = found["verdict"].lower()
    if verdict not in ("slower", "faster"):
        raise UserError(f"--fail-if {text!r}: {verdict!r} is no verdict", did_you_mean(verdict, ("slower", "faster")))
    return Condition(text.strip(), found["metric"] or "", verdict, float(found["percent"]) / 100)


def remedy_of(comparison: Mapping[str, Any]) -> str:
    """What to do when a comparison has no answer."""
    if not comparison["ranked"]:
        return "Compare runs of the same work by the same rules, or add --anyway."
    return f"Make at least {LEAST_RUNS} runs a side: mlh bench A --against B."
