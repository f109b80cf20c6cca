"""Programs of ``torch.export``: loading, and what they say of their inputs and outputs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mlharness.errors import UserError
from mlharness.providers import TensorSpec
from mlharness_torch.archive import check_archive, weights_only
from mlharness_torch.tensors import dtype_name


def load_program(path: Path) -> torch.export.ExportedProgram:
    """The program of a ``.pt2`` file. Raises UserError for a file that is damaged, or holds more than a program."""
    check_archive(path)
    try:
        with weights_only(), path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of older formats, which are still loaded
            return torch.export.load(file)
    except Exception as error:  # what a damaged archive raises depends on where the damage is
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"PyTorch {torch.__version__} cannot load {path.name}: {told}", "Export it again.") from error


def program_module(program: torch.export.ExportedProgram) -> torch.nn.Module:
    """The program as a module; what it was exported with, train or eval, stays as it was."""
    return program.module()


def program_inputs(
    program: torch.export.ExportedProgram, name: str
) -> tuple[tuple[TensorSpec, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Inputs, names of the positional ones, and pairs of keyword and name.

    Raises:
        UserError: an input that is no tensor, or lies in a list or mapping of the model's own.
    """
    values = _values(program)
    names = list(program.graph_signature.user_inputs)
    positional, keywords = program.call_spec.in_spec.unflatten(names)
    flat = [*positional, *keywords.values()]
    tensors = all(isinstance(one, str) and isinstance(values.get(one), torch.Tensor) for one in flat)
    if not tensors or flat != names:
        raise UserError(
            f"{name}: the program takes something else than tensors one by one",
            "Export it with tensors as arguments, and all else fixed.",
        )
    specs = tuple(_spec(one, values[one]) for one in flat)
    return specs, tuple(positional), tuple(keywords.items())


def program_outputs(program: torch.export.ExportedProgram, declared: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Outputs; they have the manifest's names when it declares as many, since those in the graph mean nothing."""
    values = _values(program)
    found = [str(name) for name in program.graph_signature.user_outputs if isinstance(values.get(name), torch.Tensor)]
    names = declared if len(declared) == len(found) else ["output"] if len(found) == 1 else found
    return tuple(_spec(name, values[one]) for name, one in zip(names, found, strict=True))


def _values(program: torch.export.ExportedProgram) -> dict[Any, Any]:
    """What flows in the graph, by its name: tensors without data."""
    return {node.name: node.meta.get("val") for node in program.graph.nodes}


def _spec(name: str, tensor: torch.Tensor) -> TensorSpec:
    return TensorSpec(name, dtype_name(tensor.dtype), tuple(_number(size) for size in tensor.shape))


def _number(size: Any) -> int | None:
    """A size as a number when it is one, None when it is free."""
    if isinstance(size, int):
        return size
    expression = size.node.expr
    return int(expression) if expression.is_number else None
