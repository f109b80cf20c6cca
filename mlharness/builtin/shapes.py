"""Steps that change an array's shape, and none of the values that it keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, StepFunction


def make_reshape(shape: Sequence[int]) -> StepFunction:
    """Sample step: the first array in another shape, which may hold one -1; the dtype stays."""
    wanted = tuple(shape)

    def reshape(arrays: Arrays, context: Context) -> Arrays:
        return (arrays[0].reshape(wanted), *arrays[1:])

    return reshape


def make_pad(length: int, axis: int, value: float, side: str) -> StepFunction:
    """Sample step: the first array, made ``length`` long on one axis by adding a value at the end or the start.

    Any dtype and shape, kept but for that axis; an array that is as long, or longer, stays as it is.
    """
    check_length("tensor.pad", length)

    def pad(arrays: Arrays, context: Context) -> Arrays:
        array = arrays[0]
        missing = length - length_of(array, axis)
        if missing <= 0:
            return arrays
        widths = [(0, 0)] * array.ndim
        widths[axis] = (0, missing) if side == "end" else (missing, 0)
        return (np.pad(array, widths, constant_values=fitting(value, array)), *arrays[1:])

    return pad


def make_truncate(length: int, axis: int, side: str) -> StepFunction:
    """Sample step: the first array, made ``length`` long on one axis by dropping what is more at the end or the start.

    Any dtype and shape, kept but for that axis; an array that is as long, or shorter, stays as it is.
    """
    check_length("tensor.truncate", length)

    def truncate(arrays: Arrays, context: Context) -> Arrays:
        array = arrays[0]
        more = length_of(array, axis) - length
        if more <= 0:
            return arrays
        kept = slice(0, length) if side == "end" else slice(more, None)
        where = [slice(None)] * array.ndim
        where[axis] = kept
        # Its own bytes: a view would keep all that was cut off in memory.
        return (array[tuple(where)].copy(), *arrays[1:])

    return truncate


def check_length(step: str, length: int) -> None:
    """Raise UserError for a length that no array can be made to have."""
    if length < 1:
        raise UserError(f"step {step!r}: length is {length}", "Write a whole number of at least 1.")


def length_of(array: Array, axis: int) -> int:
    """How long an array is on an axis. Raises UserError when it has no such axis."""
    if not -array.ndim <= axis < array.ndim:
        raise UserError(f"an array {list(array.shape)} has no axis {axis}", "Correct the parameter axis.")
    return int(array.shape[axis])


def fitting(value: float, array: Array) -> Array:
    """The value in an array's dtype. Raises UserError when it is none of its numbers, as 0.5 among whole ones."""
    with np.errstate(over="ignore"):
        found = np.asarray(value).astype(array.dtype)
    if array.dtype.kind not in "fc" and found != value:
        raise UserError(f"{value!r} is no {array.dtype}", "Correct the parameter value, or cast the array before.")
    return found
