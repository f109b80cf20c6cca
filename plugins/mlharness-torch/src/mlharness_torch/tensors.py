"""Between PyTorch's tensors and what mlharness knows: names, NumPy dtypes, shapes, and outputs in a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from mlharness.errors import UserError
from mlharness.providers import TensorSpec

ONLY_WIDER = frozenset({torch.bfloat16})
"""Dtypes that NumPy lacks, and that are given as float32."""


def dtype_name(dtype: torch.dtype) -> str:
    """NumPy's name for a dtype. Raises UserError for one that NumPy lacks."""
    name = "float32" if dtype in ONLY_WIDER else str(dtype).removeprefix("torch.")
    try:
        return str(np.dtype(name).name)
    except TypeError as error:
        raise UserError(f"a tensor is {dtype}, which mlharness cannot hand over", "Return float32.") from error


def torch_dtype(name: str) -> torch.dtype:
    """The dtype of a NumPy name. Raises UserError for one that PyTorch lacks."""
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise UserError(f"PyTorch has no tensors of {name}", "Declare another dtype, and convert in preprocessing.")
    return found


def describe(name: str, tensor: torch.Tensor, fixed_batch: bool = False) -> TensorSpec:
    """The spec of an output; its batch axis is free unless the model's is fixed."""
    shape: tuple[int | None, ...] = tuple(tensor.shape)
    if shape and not fixed_batch:
        shape = (None, *shape[1:])
    return TensorSpec(name, dtype_name(tensor.dtype), shape)


def flatten(value: Any) -> list[torch.Tensor]:
    """The tensors of what a model returns, in its order."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for _, tensor in named(value)]


def named(value: Any, single: str = "output", path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Name and tensor of all that a model returns: a ``single`` tensor, or tuples, mappings and dataclasses of them.

    None is left out. Raises TypeError for anything else.
    """
    if isinstance(value, torch.Tensor):
        yield path or single, value
    elif value is not None:
        for key, item in _items(value):
            yield from named(item, single, f"{path}.{key}" if path else key)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return ((str(key), item) for key, item in value.items())
    if is_dataclass(value):
        return ((field.name, getattr(value, field.name)) for field in fields(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return zip(value._fields, value, strict=True)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ((f"output_{index}", item) for index, item in enumerate(value))
    raise TypeError(f"the model returns {type(value).__name__}, which is no tensor")
