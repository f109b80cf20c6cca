"""Weights from files, and into models. No pickle is loaded that holds anything but tensors and plain values."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from mlharness.errors import UserError
from mlharness_torch.formats import Format, recognise

Weights = dict[str, torch.Tensor]

_SAFE = "Save the weights alone, as torch.save(model.state_dict(), path), or as .safetensors."


def read_weights(paths: Sequence[Path], key: str = "") -> Weights:
    """The tensors of one or several files, by name, on the CPU.

    Args:
        paths: ``.safetensors`` files, or files of torch.save.
        key: where in a file of torch.save the state dict lies; empty when it is the file.

    Raises:
        UserError: a file that cannot be read, or holds something else.
    """
    weights: Weights = {}
    for path in paths:
        found = recognise(path)
        if found is Format.SAFETENSORS:
            weights.update(read_safetensors(path)[0])
        elif found is Format.CHECKPOINT:
            weights.update(read_checkpoint(path, key))
        else:
            raise UserError(
                f"{path.name} is {found.value}, which brings its own model, and the manifest names another",
                "Leave out attributes.torch.model, or give the weights alone.",
            )
    return weights


def read_safetensors(path: Path) -> tuple[Weights, Mapping[str, str]]:
    """Tensors and metadata of a ``.safetensors`` file. Raises UserError for a damaged one."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118  # no dict
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path.name} is damaged: {error}", "Save or download it again.") from error


def read_metadata(path: Path) -> Mapping[str, str]:
    """The metadata of a ``.safetensors`` file, without its tensors. Raises UserError for a damaged one."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} is damaged or cut off: {error}", "Save or download it again.") from error


def read_checkpoint(path: Path, key: str = "") -> Weights:
    """The state dict in a file of torch.save.

    Raises:
        UserError: the pickle names code, which is not executed; the file is damaged; or it holds no state dict there.
    """
    found = load_tensors(path)
    if key:
        if not isinstance(found, Mapping) or key not in found:
            raise UserError(f"{path.name} has no {key!r}", f"Correct attributes.torch.key. {_told(found)}")
        found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise UserError(
            f"{path.name} holds no state dict: a mapping of names to tensors",
            f"Say where it lies with attributes.torch.key, or save it alone. {_told(found)}",
        )
    return {str(name): value for name, value in found.items()}


def load_tensors(path: Path) -> Any:
    """What torch.save wrote, if it is made of tensors and plain values. Raises UserError otherwise."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path.name} is a pickle of more than tensors, which could execute anything, and is not loaded", _SAFE
        ) from error
    except Exception as error:  # what a damaged archive raises depends on where the damage is
        raise UserError(f"{path.name} is damaged: {_first_line(error)}", "Save or download it again.") from error


def load_into(module: torch.nn.Module, weights: Weights, what: str) -> None:
    """Put every weight in its place. Raises UserError unless names and shapes are exactly the model's."""
    try:
        module.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        told = " ".join(str(error).split())
        told = told if len(told) < 400 else f"{told[:400]} ..."
        raise UserError(
            f"the weights are not those of {what}: {told}",
            "Check that file and model, and the versions of the packages that built them, belong together.",
        ) from error


def _told(found: Any) -> str:
    keys = ", ".join(str(key) for key in list(found)[:8]) if isinstance(found, Mapping) else type(found).__name__
    return f"It holds: {keys}."


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
