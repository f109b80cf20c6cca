"""torchvision's image classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mlharness.errors import UserError, did_you_mean
from mlharness_torch.zoo.uri import ZooModel

# Without it these two warn that their initial weights will change, and take a minute for them when asked for theirs.
_RANDOM: Mapping[str, Mapping[str, Any]] = {
    "googlenet": {"init_weights": False},
    "inception_v3": {"init_weights": False},
}
_DIFFERENCES: Mapping[str, type] = {"aux_logits": bool, "transform_input": bool, "image_size": int}


class TorchVision:
    """See :class:`mlharness_torch.zoo.zoos.Zoo`."""

    host = "download.pytorch.org"

    def __init__(self, package: Any) -> None:
        self._models = package.models

    def names(self) -> list[str]:
        """Every classifier."""
        return list(self._models.list_models(module=self._models))

    def check(self, model: ZooModel) -> None:
        """Raise UserError unless the zoo has this model with these weights."""
        self._known(model.name)
        names = [*self._models.get_model_weights(model.name).__members__, "DEFAULT"]
        if not model.random and model.weights not in names:
            raise UserError(
                f"torchvision's {model.name} has no weights {model.weights!r}",
                did_you_mean(model.weights, [*names, "none"]),
            )

    def random(self, model: ZooModel) -> torch.nn.Module:
        """The model as its builder makes it without weights."""
        return self._get(model.name, weights=None, **_RANDOM.get(model.name, {}))

    def trained(self, model: ZooModel) -> torch.nn.Module:
        """The model with trained weights; torchvision keeps the hash in the file's name, and checks it."""
        weights = self._models.get_model_weights(model.name)[model.weights]
        return self._get(model.name, weights=weights, progress=False)

    def empty(self, name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
        """The architecture; ``arguments`` come from a file, and only known ones are passed on."""
        self._known(name)
        for key, value in arguments.items():
            if key not in _DIFFERENCES or type(value) is not _DIFFERENCES[key]:
                raise UserError(f"the file asks torchvision's {name} for {key}={value!r}", "Delete it from the cache.")
        return self._get(name, weights=None, **{**_RANDOM.get(name, {}), **arguments})

    def architecture_name(self, model: ZooModel) -> str:
        """torchvision's own name, whatever the weights."""
        return model.name

    def arguments(self, module: Any) -> dict[str, Any]:
        """What weights change: the branches for training, and the size that a transformer was trained at."""
        found = {key: getattr(module, key, None) for key in _DIFFERENCES}
        return {key: value for key, value in found.items() if type(value) is _DIFFERENCES[key]}

    def input_shape(self, model: ZooModel, module: Any) -> Sequence[int]:
        """The size that the weights were evaluated at; for random weights, that of the weights that came first."""
        size = getattr(module, "image_size", None)
        if size is None:
            known = self._models.get_model_weights(model.name)
            weights = next(iter(known)) if model.random else known[model.weights]
            size = weights.transforms().crop_size[0]
        return (3, int(size), int(size))

    def partial_files(self) -> tuple[Path, str]:
        """Where torch.hub downloads to."""
        return Path(torch.hub.get_dir()) / "checkpoints", "*.partial"

    def _known(self, name: str) -> None:
        if name not in self.names():
            raise UserError(f"torchvision has no image classifier {name!r}", did_you_mean(name, self.names()))

    def _get(self, name: str, **options: Any) -> torch.nn.Module:
        module: torch.nn.Module = self._models.get_model(name, **options)
        return module
