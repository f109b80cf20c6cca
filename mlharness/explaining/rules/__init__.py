"""The rules of a verdict: each a function from the evidence of a run to a finding, or to nothing."""

from __future__ import annotations

from mlharness.explaining.rules import (
    batching,
    cores,
    disturbances,
    interpreter,
    layers,
    load,
    postprocessing,
    queueing,
    roofline,
)
from mlharness.explaining.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    queueing.RULE,
    batching.RULE,
    postprocessing.RULE,
    interpreter.RULE,
    layers.RULE,
    roofline.RULE,
    cores.OVERSUBSCRIBED,
    cores.PREEMPTED,
    cores.IDLE,
    disturbances.THROTTLED,
    disturbances.SWAPPING,
    disturbances.OTHERS,
    load.RULE,
)
"""Findings of equal weight are told in this order."""
