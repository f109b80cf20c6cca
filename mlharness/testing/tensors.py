"""Descriptions of tensors, and arrays that do not fit them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mlharness.providers import Array, TensorSpec
from mlharness.testing.verdict import raised_by, require


def spoilt(array: Array, spec: TensorSpec) -> list[Array]:
    """Arrays that this input cannot be: text, and with a fixed axis one more on it, or no axis but the batch's."""
    changed: list[Array] = [np.full(array.shape, "text")]
    fixed = [axis for axis, size in enumerate(spec.shape) if axis and size is not None]
    if fixed:
        changed.append(np.concatenate([array, array.take([0], fixed[0])], fixed[0]))
        changed.append(array.reshape(len(array), -1)[:, 0])
    return changed


def check_specs(what: str, specs: object) -> None:
    """Raise NonconformanceError unless these are TensorSpecs that can be compared with a manifest."""
    where = "mlharness.providers.TensorSpec"
    listed = list(specs) if isinstance(specs, Sequence) else []
    require(bool(listed), f"{what} is {specs!r}.", "a sequence of TensorSpec, and not an empty one", where)
    for spec in listed:
        require(isinstance(spec, TensorSpec), f"{what} holds {spec!r}.", "every item is a TensorSpec", where)
        known = raised_by(partial(np.dtype, spec.dtype)) is None
        require(
            known and np.dtype(spec.dtype).name == spec.dtype,
            f"{what}: {spec.name!r} has the dtype {spec.dtype!r}.",
            "dtype is NumPy's own name, as float32",
            where,
        )
        sizes = all(size is None or (isinstance(size, int) and size > 0) for size in spec.shape)
        require(
            bool(spec.shape) and sizes,
            f"{what}: {spec.name!r} has the shape {spec.shape!r}.",
            "the batch axis first, then each axis as a number, or None when it is free",
            where,
        )
    names = [spec.name for spec in listed]
    require(
        len(set(names)) == len(names),
        f"{what} has two tensors of one name: {names}.",
        "every tensor has a name of its own",
        where,
    )
