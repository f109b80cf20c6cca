"""Batch steps on what language models give: embeddings of whole texts, and the logits of answers."""

from __future__ import annotations

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Arrays, Context, StepFunction


def make_mean_pool() -> StepFunction:
    """Batch step: the mean over a text's tokens; float32 [n, tokens, width] -> float32 [n, width].

    A second output, numbers [n, tokens], is the mask: only tokens where it is not 0 count. A text without any gives 0.

    Raises:
        UserError: (from the step) outputs of other shapes.
    """

    def mean_pool(arrays: Arrays, context: Context) -> Arrays:
        hidden = arrays[0]
        mask = arrays[1] if len(arrays) > 1 else np.ones(hidden.shape[:2], np.float32)
        if hidden.ndim != 3 or mask.shape != hidden.shape[:2]:
            told = [list(array.shape) for array in arrays]
            raise UserError(
                f"got {told}, and needs [n, tokens, width], and [n, tokens] or nothing",
                "Check the model's outputs.",
            )
        weights = (mask != 0).astype(np.float32)
        sums = np.matmul(weights[:, None, :], hidden, dtype=np.float32)[:, 0]
        return (sums / np.maximum(weights.sum(axis=1, keepdims=True), 1),)

    return mean_pool


def make_l2_normalize() -> StepFunction:
    """Batch step: each row divided by its Euclidean length; any [n, width] -> float32 [n, width]. A row of 0 stays.

    Raises:
        UserError: (from the step) the first output has not two axes.
    """

    def l2_normalize(arrays: Arrays, context: Context) -> Arrays:
        rows = arrays[0]
        if rows.ndim != 2:
            raise UserError(f"got {list(rows.shape)}, and needs [n, width]", "Put 'text.mean-pool' before it.")
        rows = rows.astype(np.float32, copy=False)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return (rows / np.maximum(lengths, np.finfo(np.float32).tiny),)

    return l2_normalize


def make_span_logits() -> StepFunction:
    """Batch step: start and end logits side by side, as MLPerf logs them; two of float32 [n, tokens] -> [n, tokens, 2].

    Raises:
        UserError: (from the step) there are not two outputs of one shape.
    """

    def span_logits(arrays: Arrays, context: Context) -> Arrays:
        if len(arrays) != 2 or arrays[0].shape != arrays[1].shape or arrays[0].ndim != 2:
            told = [list(array.shape) for array in arrays]
            raise UserError(f"got {told}, and needs start and end logits [n, tokens]", "Check the model's outputs.")
        return (np.stack(arrays, axis=-1),)

    return span_logits
