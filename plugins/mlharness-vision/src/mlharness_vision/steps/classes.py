"""The step ``image.class``: what a classifier answers, as the metrics of classes read it."""

from __future__ import annotations

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction

NAME = "image.class"
PARAMETERS = (Option("offset", "integer", "Added to each class: -1 where the model's class 0 is the background.", 0),)


def make_class(offset: int = 0) -> StepFunction:
    """Batch step: the class of each sample, from the first output; float32 [n, 1], as MLPerf's ImageNet script reads.

    Input: scores of any number dtype [n, classes], of which the largest wins (the first of equal ones); or classes that
    the model has chosen itself, any number dtype [n] or [n, 1].

    Raises:
        UserError: (from the step) the output has another rank.
    """
    shift = np.float32(offset)

    def choose(arrays: Arrays, context: Context) -> Arrays:
        return ((classes_of(arrays[0]).astype(np.float32) + shift)[:, None],)

    return choose


def classes_of(output: Array) -> Array:
    """The class of each row [n] of scores [n, classes] or of classes [n] or [n, 1]."""
    if output.ndim == 1:
        return output
    if output.ndim != 2 or output.shape[1] == 0:
        raise UserError(
            f"got the shape {list(output.shape)}, and needs [n, classes], [n] or [n, 1]",
            "The first of the model's outputs must be scores, or classes.",
        )
    chosen: Array = output[:, 0] if output.shape[1] == 1 else output.argmax(axis=1)
    return chosen
