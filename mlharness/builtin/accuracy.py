"""Accuracy metrics that need no library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mlharness import hookimpl
from mlharness.errors import RunError, UserError
from mlharness.providers import Array, Option, ResponseSpec, Score
from mlharness.registrars import MetricRegistrar
from mlharness.stats import wilson_interval

Label = Callable[[int], Any]


def score_top1(responses: Mapping[int, Array], label: Label, options: Mapping[str, Any]) -> Score:
    """The share of samples whose response, one float32 class number, equals the label; percent, Wilson interval.

    Samples without a label are left out, as ``n`` shows.
    """
    labelled = list(with_labels("top1", responses, label))
    return share(sum(int(row[0]) == truth for row, truth in labelled), len(labelled))


def score_topk(responses: Mapping[int, Array], label: Label, options: Mapping[str, Any]) -> Score:
    """The share of samples among whose k class numbers, float32 with the best first, is the label; percent, Wilson.

    ``details`` have the share of those whose first one is. Samples without a label are left out, as ``n`` shows.
    """
    labelled = list(with_labels("topk", responses, label))
    firsts = sum(int(row[0]) == truth for row, truth in labelled)
    found = share(sum(truth in row.astype(int) for row, truth in labelled), len(labelled))
    return Score(found.value, found.unit, found.n, found.interval, {"top1": 100.0 * firsts / len(labelled)})


def with_labels(metric: str, responses: Mapping[int, Array], label: Label) -> Iterator[tuple[Array, Any]]:
    """Each response that has a label, and its label. Raises RunError, in the metric's name, when there is none."""
    found = False
    for index, row in responses.items():
        if (truth := label(index)) is not None:
            found = True
            yield row, truth
    if not found:
        raise RunError(f"{metric}: no sample of the data set has a label")


def share(right: int, n: int) -> Score:
    """So many right of n, in percent."""
    low, high = wilson_interval(right, n)
    return Score(100.0 * right / n, "%", n, (100.0 * low, 100.0 * high))


def top1_response(options: Mapping[str, Any]) -> ResponseSpec:
    """One float32 class number a sample, as MLPerf's ImageNet script reads it."""
    return ResponseSpec("float32", (1,))


def topk_response(options: Mapping[str, Any]) -> ResponseSpec:
    """The k best class numbers of a sample, float32, as the step tensor.top-k gives them. UserError for k below 1."""
    k = options.get("k", K.default)
    if k < 1:
        raise UserError(f"metric 'topk': k is {k}", "Write a whole number of at least 1.")
    return ResponseSpec("float32", (k,))


K = Option("k", "integer", "How many class numbers a response holds.", default=5)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    registrar.metric("top1", score=score_top1, response=top1_response)
    registrar.metric("topk", score=score_topk, response=topk_response, options=(K,))
