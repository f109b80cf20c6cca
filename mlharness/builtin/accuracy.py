"""Accuracy metrics that need no library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlharness import hookimpl
from mlharness.errors import RunError
from mlharness.providers import Array, ResponseSpec, Score
from mlharness.registrars import MetricRegistrar
from mlharness.stats import wilson_interval


def score_top1(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """The share of samples whose response, one float32 class number, equals the label; percent, Wilson interval.

    Samples without a label are left out, as ``n`` shows.
    """
    labelled = [(int(row[0]), truth) for index, row in responses.items() if (truth := label(index)) is not None]
    if not labelled:
        raise RunError("top1: no sample of the data set has a label")
    right = sum(found == truth for found, truth in labelled)
    low, high = wilson_interval(right, len(labelled))
    return Score(100.0 * right / len(labelled), "%", len(labelled), (100.0 * low, 100.0 * high))


def top1_response(options: Mapping[str, Any]) -> ResponseSpec:
    """One float32 class number a sample, as MLPerf's ImageNet script reads it."""
    return ResponseSpec("float32", (1,))


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    registrar.metric("top1", score=score_top1, response=top1_response)
