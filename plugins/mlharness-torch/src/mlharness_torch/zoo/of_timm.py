"""timm's image models. A name may carry the tag of its weights: ``resnet50.a1_in1k``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mlharness.errors import UserError, did_you_mean
from mlharness_torch.zoo.uri import ZooModel

DEFAULT = "DEFAULT"
_CLOSE = 12


class Timm:
    """See :class:`mlharness_torch.zoo.zoos.Zoo`."""

    host = "huggingface.co"

    def __init__(self, package: Any) -> None:
        self._timm = package

    def check(self, model: ZooModel) -> None:
        """Raise UserError unless the zoo has this model with these weights."""
        self._known(model.name)
        name, _, tag = model.name.partition(".")
        if model.random:
            return
        if tag and model.weights != DEFAULT:
            raise UserError(
                f"{model.canonical} names weights twice", f"Write weights={DEFAULT}, or no tag in the name."
            )
        tags = [known.partition(".")[2] for known in self._timm.list_pretrained(f"{name}.*")]
        if model.weights != DEFAULT and model.weights not in tags:
            raise UserError(
                f"timm's {name} has no weights {model.weights!r}", did_you_mean(model.weights, [*tags, DEFAULT, "none"])
            )

    def random(self, model: ZooModel) -> torch.nn.Module:
        """The model as timm makes it without weights."""
        return self._create(model.name, False)

    def trained(self, model: ZooModel) -> torch.nn.Module:
        """The model with trained weights."""
        return self._create(self.architecture_name(model), True)

    def empty(self, name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
        """The architecture of a name; timm needs nothing else."""
        self._known(name)
        return self._create(name, False)

    def architecture_name(self, model: ZooModel) -> str:
        """The name with the tag of the weights, which decides about classes and size."""
        return model.name if model.random or model.weights == DEFAULT else f"{model.name}.{model.weights}"

    def arguments(self, module: Any) -> dict[str, Any]:
        """Nothing: the tag says it all."""
        return {}

    def input_shape(self, model: ZooModel, module: Any) -> Sequence[int]:
        """What the model's configuration says."""
        return tuple(int(size) for size in module.pretrained_cfg["input_size"])

    def partial_files(self) -> tuple[Path, str]:
        """Where huggingface_hub downloads to."""
        from huggingface_hub.constants import HF_HUB_CACHE

        return Path(HF_HUB_CACHE), "models--timm--*/blobs/*.incomplete"

    def _known(self, name: str) -> None:
        """Names only, not the addresses of other people's models that timm would follow."""
        bare, _, tag = name.partition(".")
        if not self._timm.is_model(bare):
            raise UserError(f"timm has no model {bare!r}", self._remedy(bare))
        tags = [known.partition(".")[2] for known in self._timm.list_pretrained(f"{bare}.*")] if tag else []
        if tag and tag not in tags:
            raise UserError(f"timm's {bare} has no weights {tag!r}", did_you_mean(tag, tags))

    def _remedy(self, name: str) -> str:
        """The names that are most like this one: all would fill several pages."""
        import difflib

        close = difflib.get_close_matches(name, self._timm.list_models(), n=_CLOSE)
        return did_you_mean(name, close) if close else "See: python -c 'import timm; print(timm.list_models())'"

    def _create(self, name: str, pretrained: bool) -> torch.nn.Module:
        module: torch.nn.Module = self._timm.create_model(name, pretrained=pretrained)
        return module
