"""What the tests share: finding packaged files, and small images."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_vision import plugin

from mlharness.options import resolve_options
from mlharness.providers import Arrays, Option, StepFunction
from mlharness.registrars import Catalog, StepRegistrar

pytest_plugins = ["mlharness.testing.fixtures"]


def locate_packaged(uri: str) -> Path:
    """The file that a pkg:// URI names; the test is skipped when the package is not installed."""
    package, _, rest = uri.removeprefix("pkg://").partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0]) / rest


@pytest.fixture
def locate() -> Callable[[str], Path]:
    return locate_packaged


@pytest.fixture
def pixels() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """uint8 [37, 52, 3]: odd and even sides, every value likely."""
    return np.random.default_rng(5).integers(0, 256, (37, 52, 3), dtype=np.uint8)


@pytest.fixture
def make() -> Callable[..., StepFunction]:
    """A step of this plugin by name, its parameters checked as the kernel checks them."""
    catalog = Catalog()
    plugin.mlh_register_steps(StepRegistrar(catalog, "mlharness-vision"))

    def by_name(name: str, **parameters: object) -> StepFunction:
        provider = catalog.steps.find(name).provider
        declared: Sequence[Option] = provider.parameters
        return provider.make(**resolve_options(f"step {name!r}", declared, parameters))

    return by_name


@pytest.fixture
def photo(make: Callable[..., StepFunction]) -> Callable[[str], np.ndarray[Any, np.dtype[np.float32]]]:
    """A packaged photograph as EfficientNet-Lite0's manifest preprocesses it, float32 [3, 224, 224]."""
    import yaml

    manifest = Path(plugin.__file__).parent / "manifests" / "models" / "efficientnet-lite0.yaml"
    wanted = yaml.safe_load(manifest.read_text())["preprocess"]
    steps = [make(name, **parameters) for step in wanted for name, parameters in step.items()]

    def load(uri: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        arrays: Arrays = (np.fromfile(locate_packaged(uri), dtype=np.uint8),)
        for step in steps:
            result = step(arrays, {})
            arrays = result if isinstance(result, tuple) else (result,)
        return arrays[0]

    return load
