"""Steps on arrays that every modality needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlharness import hookimpl
from mlharness.errors import UserError
from mlharness.providers import Arrays, Context, Option, StepFunction
from mlharness.registrars import StepRegistrar


def make_argmax() -> StepFunction:
    """Batch step: the index of the largest value of each row; any [n, classes] -> float32 [n, 1].

    float32, since that is what MLPerf's ImageNet script reads back from the log.
    """

    def argmax(arrays: Arrays, context: Context) -> Arrays:
        return (arrays[0].argmax(axis=-1).astype(np.float32)[:, None],)

    return argmax


def make_scale(factor: float, offset: float) -> StepFunction:
    """Sample step: ``array * factor + offset`` on the first array; any dtype and shape -> float32, same shape."""

    def scale(arrays: Arrays, context: Context) -> Arrays:
        scaled = np.multiply(arrays[0], np.float32(factor), dtype=np.float32)
        scaled += np.float32(offset)
        return (scaled, *arrays[1:])

    return scale


def make_reshape(shape: Sequence[int]) -> StepFunction:
    """Sample step: the first array in another shape, which may hold one -1; the dtype stays."""
    wanted = tuple(shape)

    def reshape(arrays: Arrays, context: Context) -> Arrays:
        return (arrays[0].reshape(wanted), *arrays[1:])

    return reshape


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
    registrar.step(
        "tensor.scale",
        make_scale,
        parameters=(
            Option("factor", "number", "What every value is multiplied by.", default=1.0),
            Option("offset", "number", "What is added afterwards.", default=0.0),
        ),
    )
    shape = Option("shape", "array", "The new shape of one sample, without the batch axis.", required=True)
    registrar.step("tensor.reshape", make_reshape, parameters=(shape,))
    dtype = Option("dtype", "string", "A NumPy dtype name, such as float32.", required=True)
    registrar.step("tensor.cast", make_cast, parameters=(dtype,))
