"""Steps on arrays that every modality needs. Those that change a shape are in :mod:`mlharness.builtin.shapes`."""

from __future__ import annotations

import numpy as np

from mlharness import hookimpl
from mlharness.builtin import shapes
from mlharness.errors import UserError
from mlharness.providers import Arrays, Context, Option, StepFunction
from mlharness.registrars import StepRegistrar

ENDS = ("end", "start")


def make_argmax() -> StepFunction:
    """Batch step: the index of the largest value of each row; any [n, classes] -> float32 [n, 1].

    float32, since that is what MLPerf's ImageNet script reads back from the log.
    """
    float32 = np.dtype(np.float32)  # looked up once: it is called with cold caches

    def argmax(arrays: Arrays, context: Context) -> Arrays:
        return (arrays[0].argmax(1, keepdims=True).astype(float32),)

    return argmax


def make_top_k(k: int) -> StepFunction:
    """Batch step: the indices of the k largest values of each row, largest first; any [n, classes] -> float32 [n, k].

    Of equal values, the one with the lower index comes first, as ``tensor.argmax`` has it.
    """
    if k < 1:
        raise UserError(f"step 'tensor.top-k': k is {k}", "Write a whole number of at least 1.")

    def top_k(arrays: Arrays, context: Context) -> Arrays:
        rows, classes = arrays[0], arrays[0].shape[-1]
        if rows.ndim != 2 or classes < k:
            raise UserError(
                f"the {k} largest are wanted of an array {list(rows.shape)}", "It needs [n, classes], and k classes."
            )
        # Sorted backwards: of equal values, a stable sort keeps the order, which is then turned round with the rest.
        ascending = rows[:, ::-1].argsort(axis=1, kind="stable")
        return ((classes - 1 - ascending[:, : -k - 1 : -1]).astype(np.float32),)

    return top_k


def make_softmax() -> StepFunction:
    """Batch step: e to the first array's values over their sum, along its last axis, so that each row sums up to 1.

    float16, float32 or float64 [n, ..., classes], kept; any other numbers -> float32. Further arrays are handed on.
    """

    def softmax(arrays: Arrays, context: Context) -> Arrays:
        values = arrays[0] if arrays[0].dtype.kind == "f" else arrays[0].astype(np.float32)
        # The largest first becomes 0, so that no power overflows.
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return (powers / powers.sum(axis=-1, keepdims=True), *arrays[1:])

    return softmax


def make_scale(factor: float, offset: float) -> StepFunction:
    """Sample step: ``array * factor + offset`` on the first array; any dtype and shape -> float32, same shape."""

    def scale(arrays: Arrays, context: Context) -> Arrays:
        scaled = np.multiply(arrays[0], np.float32(factor), dtype=np.float32)
        scaled += np.float32(offset)
        return (scaled, *arrays[1:])

    return scale


def make_cast(dtype: str) -> StepFunction:
    """Sample step: the first array with another dtype (a NumPy name); the shape stays."""
    try:
        wanted = np.dtype(dtype)
    except TypeError as error:
        raise UserError(f"step 'tensor.cast': {dtype!r} is no dtype of NumPy", "Write one such as float32.") from error

    def cast(arrays: Arrays, context: Context) -> Arrays:
        return (arrays[0].astype(wanted), *arrays[1:])

    return cast


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    registrar.step("tensor.argmax", make_argmax, batch=True)
    k = Option("k", "integer", "How many indices.", default=5)
    registrar.step("tensor.top-k", make_top_k, parameters=(k,), batch=True)
    registrar.step("tensor.softmax", make_softmax, batch=True)
    registrar.step(
        "tensor.scale",
        make_scale,
        parameters=(
            Option("factor", "number", "What every value is multiplied by.", default=1.0),
            Option("offset", "number", "What is added afterwards.", default=0.0),
        ),
    )
    dtype = Option("dtype", "string", "A NumPy dtype name, such as float32.", required=True)
    registrar.step("tensor.cast", make_cast, parameters=(dtype,))
    register_shapes(registrar)


def register_shapes(registrar: StepRegistrar) -> None:
    """Those that change a shape."""
    shape = Option("shape", "array", "The new shape of one sample, without the batch axis.", required=True)
    registrar.step("tensor.reshape", shapes.make_reshape, parameters=(shape,))
    length = Option("length", "integer", "How long, at least 1.", required=True)
    axis = Option("axis", "integer", "The axis of a sample; -1 is its last.", default=0)
    value = Option("value", "number", "What is added.", default=0)
    side = Option("side", "string", "Where it is added.", default="end", choices=ENDS)
    registrar.step("tensor.pad", shapes.make_pad, parameters=(length, axis, value, side))
    side = Option("side", "string", "Where it is dropped.", default="end", choices=ENDS)
    registrar.step("tensor.truncate", shapes.make_truncate, parameters=(length, axis, side))
