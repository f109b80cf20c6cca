"""Models saved in every format, and loading with options as the kernel resolves them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mlharness_torch import plugin
from mlharness_torch.predictor import TorchPredictor
from mlharness_torch.zoo import source

from mlharness.options import resolve_options
from mlharness.providers import Model, TensorSpec

Load = Callable[..., TorchPredictor]

X = TensorSpec("x", "float32", (None, 6))
IMAGES = TensorSpec("images", "float32", (None, 3, 8, 8))
SMALL_ZOO = "torchvision://squeezenet1_1?weights=none"
SMALL_TIMM = "timm://test_resnet?weights=none"
"""A network that timm has for tests."""


@pytest.fixture
def load() -> Load:
    """``load(files, inputs, outputs, attributes, device, **options)``."""

    def load_it(
        files: Path | Sequence[Path],
        inputs: Sequence[TensorSpec] = (),
        outputs: Sequence[TensorSpec] = (),
        attributes: Mapping[str, Any] | None = None,
        device: str = "cpu",
        **options: Any,
    ) -> TorchPredictor:
        resolved = resolve_options("framework 'torch'", plugin.OPTIONS, options)
        paths = (files,) if isinstance(files, Path) else tuple(files)
        predictor = plugin.load(Model("net", paths, tuple(inputs), tuple(outputs), attributes or {}), device, resolved)
        assert isinstance(predictor, TorchPredictor)
        return predictor

    return load_it


def script(module: torch.nn.Module, path: Path, example: torch.Tensor | None = None) -> Path:
    """Save as TorchScript, traced when there is an example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch would rather have torch.export
        trace = torch.jit.trace
        made = torch.jit.script(module.eval()) if example is None else trace(module.eval(), example)
        torch.jit.save(made, str(path))
    return path


def export(module: torch.nn.Module, path: Path, *example: torch.Tensor) -> Path:
    """Save as a torch.export program whose batch is free."""
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, about its own
        program = torch.export.export(module.eval(), example, dynamic_shapes=tuple({0: batch} for _ in example))
        torch.export.save(program, path)
    return path


@pytest.fixture(scope="session")
def zoo_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that a session's tests share, so that a zoo model is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(zoo_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """mlharness uses the shared cache."""
    monkeypatch.setenv("MLH_CACHE_DIR", str(zoo_cache))
    return zoo_cache


def fetched(uri: str) -> Path:
    """The file of a zoo model, built when it is first asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the zoos' own, as the runner, which shows none
        return source.fetch(uri, None, lambda done, total: None)
