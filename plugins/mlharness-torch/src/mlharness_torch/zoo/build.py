"""From a zoo's model to its file: architecture, weights, and what is needed to build it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from mlharness_torch.zoo.description import Description
from mlharness_torch.zoo.download import downloading
from mlharness_torch.zoo.random_weights import scale_statistics, seeded
from mlharness_torch.zoo.uri import ZooModel
from mlharness_torch.zoo.zoos import Zoo, find_zoo


def write_weights(model: ZooModel, path: Path, version: str, advance: Callable[[int, int], None]) -> None:
    """Write a model's ``.safetensors`` file. Raises UserError as :func:`build` does."""
    zoo = find_zoo(model.zoo)
    module = build(zoo, model, advance).eval()
    shape = zoo.input_shape(model, module)
    if model.random:
        scale_statistics(module, shape, model.seed, model.canonical)
    described = Description(
        model.zoo, version, zoo.architecture_name(model), zoo.arguments(module), tuple(shape), model.canonical
    )
    # Copies: the format refuses tensors that share memory, which a strict load wants to find by both names.
    weights = {name: tensor.detach().clone().contiguous() for name, tensor in module.state_dict().items()}
    save_file(weights, path, described.metadata())


def build(zoo: Zoo, model: ZooModel, advance: Callable[[int, int], None]) -> torch.nn.Module:
    """The model with its weights.

    Raises:
        UserError: the zoo has no such model or weights, or these cannot be downloaded.
    """
    zoo.check(model)
    if model.random:
        with seeded(model.seed):
            return zoo.random(model)
    with downloading(model.canonical, zoo.host, zoo.partial_files(), advance):
        return zoo.trained(model)
