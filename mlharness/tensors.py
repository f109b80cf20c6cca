"""Declared tensors and a loaded model's: by name or by place, and what a manifest leaves open."""

from __future__ import annotations

from collections.abc import Sequence

from mlharness.providers import TensorSpec


def own_names(declared: Sequence[str], own: Sequence[str]) -> list[str]:
    """The names of declared tensors in a model.

    A manifest may give a tensor's place among the model's, counted from 0, instead of its name: digits that are no name
    of the model. What is neither stays as it is.
    """
    return [own[int(name)] if name not in own and _is_place(name, len(own)) else name for name in declared]


def settle(declared: Sequence[TensorSpec], found: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """The declared tensors in their order, under the model's names, with what they leave open taken from the model."""
    own = {spec.name: spec for spec in found}
    names = own_names([spec.name for spec in declared], list(own))
    return tuple(_merged(spec, name, own.get(name)) for spec, name in zip(declared, names, strict=True))


def fixed_batch(spec: TensorSpec) -> int | None:
    """The size of the batch axis; None when it is free, or nobody knows the shape."""
    return spec.shape[0] if spec.shape else None


def described(spec: TensorSpec) -> str:
    """Dtype and shape as a message shows them, as far as they are known."""
    return " ".join(filter(None, (spec.dtype, str(list(spec.shape)) if spec.shape else "")))


def _merged(declared: TensorSpec, name: str, found: TensorSpec | None) -> TensorSpec:
    if found is None:
        return declared
    return TensorSpec(name, declared.dtype or found.dtype, declared.shape or found.shape)


def _is_place(name: str, count: int) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 10 and int(name) < count
