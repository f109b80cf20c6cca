"""The way back: from the description of a zoo model's file to its architecture and its tensors."""

from __future__ import annotations

import torch

from mlharness.errors import UserError
from mlharness.providers import TensorSpec
from mlharness_torch.zoo.description import Description
from mlharness_torch.zoo.source import installed_version
from mlharness_torch.zoo.zoos import find_zoo

INPUT, OUTPUT = "images", "logits"


def build_architecture(found: Description) -> torch.nn.Module:
    """The model without its weights. Raises UserError when the zoo is not installed, or has no such model."""
    try:
        return find_zoo(found.zoo).empty(found.model, found.arguments)
    except UserError as error:
        if installed_version(found.zoo) in (None, found.version):
            raise
        raise UserError(f"{error.message} (the file is of {found.zoo} {found.version})", error.remedy) from error


def zoo_tensors(found: Description) -> tuple[TensorSpec, ...]:
    """The input: float32 ``images`` [batch, channels, height, width] of the model's own size."""
    return (TensorSpec(INPUT, "float32", (None, *found.input)),)
