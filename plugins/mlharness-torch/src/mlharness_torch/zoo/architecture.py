"""The way back: from the metadata of a zoo model's file to its architecture and its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

from mlharness.errors import UserError
from mlharness.providers import TensorSpec
from mlharness_torch.zoo.source import installed_version
from mlharness_torch.zoo.zoos import find_zoo

INPUT, OUTPUT = "images", "logits"
_ZOOS = ("torchvision", "timm")


def is_of_zoo(metadata: Mapping[str, str]) -> bool:
    """True for the metadata of a file that a zoo's source wrote."""
    return metadata.get("mlharness.zoo") in _ZOOS and "mlharness.model" in metadata


def build_architecture(metadata: Mapping[str, str]) -> torch.nn.Module:
    """The model without its weights. Raises UserError when the zoo is not installed, or has no such model."""
    zoo, name = metadata["mlharness.zoo"], metadata["mlharness.model"]
    try:
        return find_zoo(zoo).empty(name, _read(metadata, "arguments", dict))
    except UserError as error:
        wrote = metadata.get("mlharness.version", "")
        if installed_version(zoo) in (None, wrote):
            raise
        raise UserError(f"{error.message} (the file is of {zoo} {wrote})", error.remedy) from error


def zoo_tensors(metadata: Mapping[str, str]) -> tuple[TensorSpec, ...]:
    """The input: float32 ``images`` [batch, channels, height, width] of the model's own size."""
    channels, height, width = _read(metadata, "input", list)
    return (TensorSpec(INPUT, "float32", (None, channels, height, width)),)


def _read(metadata: Mapping[str, str], key: str, kind: type) -> Any:
    try:
        value = json.loads(metadata[f"mlharness.{key}"])
    except (KeyError, ValueError) as error:
        raise _damaged(key, error) from error
    if not isinstance(value, kind):
        raise _damaged(key, value)
    return value


def _damaged(key: str, found: object) -> UserError:
    return UserError(f"the file's metadata are damaged: mlharness.{key}: {found}", "Delete the file from the cache.")
