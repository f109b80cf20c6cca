"""The convention of the published MLHarness manifests (2021-22), whose Python opens the samples itself.

Their harness made an array of float32 of whatever ``postprocess`` returned for a sample, and that is what MLPerf's
accuracy scripts read from LoadGen's log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, StepFunction

InlineFunction = Callable[[Context, Any], Any]

_FORMS = "Return a list of one entry per sample, or a tuple of such lists, as (probabilities, classes, boxes)."
_BOX = 4
"""ymin, xmin, ymax, xmax."""


def adapt_preprocess(function: InlineFunction) -> StepFunction:
    """A step of one sample: the function gets the sample's index as text, and returns an array or a tuple of arrays.

    Raises UserError for what is no array of numbers.
    """

    def preprocess(arrays: Arrays, context: Context) -> Arrays:
        result = function(context, str(context["sample_indices"][0]))
        parts = result if isinstance(result, tuple) else (result,)
        if not parts:
            raise UserError("preprocess(ctx, data) returned an empty tuple", "Return an array, or a tuple of arrays.")
        return tuple(to_input(part) for part in parts)

    return preprocess


def adapt_postprocess(function: InlineFunction) -> StepFunction:
    """A step of a batch: the function gets the list of output arrays; each sample's response is float32.

    Responses of one shape are one array with the batch axis first; others stay one array per sample.
    """

    def postprocess(arrays: Arrays, context: Context) -> Arrays | Array:
        rows = to_responses(function(context, list(arrays)), context["sample_indices"])
        return np.stack(rows) if len({row.shape for row in rows}) == 1 else tuple(rows)

    return postprocess


def to_input(value: object) -> Array:
    """What ``preprocess`` returned for one input as an array of its own dtype. Raises UserError when it is none."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.empty(0, np.object_)
    if array.dtype.kind not in "biufc":
        raise UserError(
            f"preprocess(ctx, data) gave {type(value).__name__} that is no array of numbers",
            "Return an array, or a tuple of one array per input.",
        )
    return array


def to_responses(result: object, indices: Sequence[int]) -> list[Array]:
    """What ``postprocess`` returned for a batch as one response per sample, float32: flat, or rows of boxes.

    A list (or array) has one entry per sample. A tuple has columns: lists of one entry per sample each. Three columns
    are probabilities, classes and boxes, and become MLPerf's rows of COCO; of any other number, a sample's entries
    follow one another. A column of another length than the batch's, but for the first, belongs to each of its samples.

    Raises:
        UserError: neither of these, another number of entries than of samples, or an entry that holds no numbers.
    """
    columns = result if isinstance(result, tuple) else (result,)
    if not columns or any(isinstance(one, str | bytes) or not isinstance(one, _SEQUENCES) for one in columns):
        raise UserError(f"postprocess(ctx, data) returned {describe(result)}", _FORMS)
    if len(columns[0]) != len(indices):
        raise UserError(f"postprocess(ctx, data) returned {len(columns[0])} entries for {len(indices)} samples", _FORMS)
    if len(columns) == 3:
        return [box_rows(index, *entries) for index, entries in zip(indices, per_sample(columns), strict=True)]
    return [np.concatenate([flatten(entry) for entry in entries]) for entries in per_sample(columns)]


def per_sample(columns: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The entries of each sample, one from each column."""
    count = len(columns[0])
    for position in range(count):
        yield tuple(column[position] if len(column) == count else column for column in columns)


def box_rows(index: int, probabilities: Any, classes: Any, boxes: Any) -> Array:
    """One sample's detections as MLPerf's accuracy-coco.py reads them, float32 [detections, 7].

    Each is the sample's index, ymin, xmin, ymax, xmax, the probability and the class. Raises UserError when the three
    do not belong together.
    """
    scores, kinds, corners = flatten(probabilities), flatten(classes), flatten(boxes)
    if scores.size != kinds.size or corners.size != _BOX * scores.size:
        raise UserError(
            f"postprocess(ctx, data) returned {scores.size} probabilities, {kinds.size} classes "
            f"and {corners.size} box coordinates for sample {index}",
            "Return (probabilities, classes, boxes), with four coordinates a box.",
        )
    return np.column_stack((np.full(scores.size, index, np.float32), corners.reshape(-1, _BOX), scores, kinds))


def flatten(entry: Any) -> Array:
    """All numbers of one entry in order, float32 [any length]. Raises UserError when it holds anything else."""
    if isinstance(entry, str | bytes):
        entry = parse(entry)
    try:
        array = np.asarray(entry)
    except ValueError:  # lists of different lengths
        array = np.empty(0, np.object_)
    if array.dtype.kind in "biuf":
        return array.astype(np.float32).ravel()
    if not isinstance(entry, _SEQUENCES) or isinstance(entry, str | bytes):
        raise UserError(f"postprocess(ctx, data) returned {describe(entry)} among its entries", "Return numbers.")
    return np.concatenate([np.empty(0, np.float32), *(flatten_inner(inner) for inner in entry)])


def flatten_inner(entry: Any) -> Array:
    """As :func:`flatten`, for what stands inside an entry, where text is no JSON of its own."""
    if isinstance(entry, str | bytes):
        raise UserError(f"postprocess(ctx, data) returned {describe(entry)} inside an entry", "Return numbers.")
    return flatten(entry)


def parse(text: str | bytes) -> Any:
    """The value that JSON text says. Raises UserError when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"postprocess(ctx, data) returned {describe(text)}, which is no JSON: {error}",
            "Return json.dumps(...) of numbers, or the numbers themselves.",
        ) from error


def describe(value: object) -> str:
    """A value as messages show it: short text itself, else its type."""
    return repr(value) if isinstance(value, str | bytes) and len(value) <= 40 else type(value).__name__


_SEQUENCES = (Sequence, np.ndarray)
"""What can hold entries."""
