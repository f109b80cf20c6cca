"""The zoos: which models and weights each has, and how it builds them. Their packages are imported when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import torch

from mlharness.errors import UserError
from mlharness_torch.zoo.uri import ZooModel


class Zoo(Protocol):
    """A package of models."""

    host: str
    """Where its trained weights come from."""

    def check(self, model: ZooModel) -> None:
        """Raise UserError unless the zoo has this model with these weights."""
        ...

    def random(self, model: ZooModel) -> torch.nn.Module:
        """The model with the random weights of PyTorch's generator."""
        ...

    def trained(self, model: ZooModel) -> torch.nn.Module:
        """The model with its trained weights, which may be downloaded; raises whatever that raises."""
        ...

    def empty(self, name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
        """The architecture of a file's metadata. Raises UserError for one that is not this zoo's."""
        ...

    def architecture_name(self, model: ZooModel) -> str:
        """What :meth:`empty` shall be asked for."""
        ...

    def arguments(self, module: Any) -> dict[str, Any]:
        """In what this module differs from what its name alone builds; numbers, text and truth values."""
        ...

    def input_shape(self, model: ZooModel, module: Any) -> Sequence[int]:
        """Channels, height and width of what the model is meant for."""
        ...

    def partial_files(self) -> tuple[Path, str]:
        """Folder and pattern of the files in which a download grows."""
        ...


def find_zoo(name: str) -> Zoo:
    """The zoo of that package. Raises UserError when it is not installed, or cannot be imported."""
    if name == "torchvision":
        from mlharness_torch.zoo.of_torchvision import TorchVision

        return TorchVision(import_package(name))
    from mlharness_torch.zoo.of_timm import Timm

    return Timm(import_package(name))


def import_package(name: str) -> ModuleType:
    """Import a zoo's package. Raises UserError when that fails, also for one that does not fit this PyTorch."""
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise UserError(f"{name} cannot be imported: {error}", f"Run: pip install {error.name}") from error
        raise UserError(f"the models of {name} need the package {name}", f"Run: pip install {name}") from error
    except (ImportError, RuntimeError, OSError) as error:  # compiled against another PyTorch
        raise UserError(
            f"{name} cannot be imported beside PyTorch {torch.__version__}: {error}",
            f"Run: pip install -U {name} torch",
        ) from error
