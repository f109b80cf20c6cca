"""The metric ``mse`` of a predicted number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlharness.errors import RunError
from mlharness.providers import Array, ResponseSpec, Score


def response(options: Mapping[str, Any]) -> ResponseSpec:
    """One float32 number a sample."""
    return ResponseSpec("float32", (1,))


def score(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """The mean squared error of one float32 number a sample against the label, in the label's unit squared.

    Details: its root (rmse), the mean absolute error (mae) and, where labels differ, the coefficient of determination
    (r2). Samples without a label are left out. The interval is Student's for the mean.
    """
    found, truths = pairs(responses, label)
    errors = found - truths
    squared = errors**2
    mean = float(squared.mean())
    details = {"rmse": mean**0.5, "mae": float(np.abs(errors).mean())}
    if distances := float(((truths - truths.mean()) ** 2).sum()):
        details["r2"] = 1 - float(squared.sum()) / distances
    return Score(mean, "", len(errors), interval(squared), details)


def interval(squared: Array) -> tuple[float, float] | None:
    """The 95 % interval of the mean of squared errors, none below 0; None for fewer than two."""
    from scipy.special import stdtrit

    count = len(squared)
    if count < 2:
        return None
    mean = float(squared.mean())
    half = float(stdtrit(count - 1, 0.975) * squared.std(ddof=1) / count**0.5)
    return max(0.0, mean - half), mean + half


def pairs(responses: Mapping[int, Array], label: Callable[[int], Any]) -> tuple[Array, Array]:
    """Predicted and true numbers, float64 [n] each, of the samples that have a label, ordered by sample."""
    truths = {index: truth for index in sorted(responses) if (truth := label(index)) is not None}
    if not truths:
        raise RunError("mse: no sample of the data set has a label")
    for truth in truths.values():
        if not isinstance(truth, (int, float, np.number)):
            raise RunError(f"mse: a label is {truth!r}, and must be a number", "Correct the data set's label.")
    found = np.array([float(responses[index][0]) for index in truths])
    return found, np.array(list(truths.values()), np.float64)
