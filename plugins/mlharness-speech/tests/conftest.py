"""What the tests share: a clip, and what other libraries give for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from mlharness_speech import plugin

from mlharness.options import resolve_options
from mlharness.providers import Array, StepFunction
from mlharness.registrars import Catalog, StepRegistrar

pytest_plugins = ["mlharness.testing.fixtures"]
PACKAGE = Path(plugin.__file__).parent
CLIP = PACKAGE / "clips" / "awb-1.flac"


@pytest.fixture(scope="session")
def reference() -> Mapping[str, Array]:
    """Numbers of librosa 0.11, transformers 5.24 and MLPerf's code, made by ``scripts/make_reference.py``."""
    with np.load(Path(__file__).parent / "data" / "reference.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def make() -> Callable[..., StepFunction]:
    """A step of this plugin by name, its parameters checked as the kernel checks them."""
    catalog = Catalog()
    plugin.mlh_register_steps(StepRegistrar(catalog, "mlharness-speech"))

    def by_name(name: str, **parameters: object) -> StepFunction:
        provider = catalog.steps.find(name).provider
        return provider.make(**resolve_options(f"step {name!r}", provider.parameters, parameters))

    return by_name


@pytest.fixture(scope="session")
def clip() -> tuple[Array, ...]:
    """Samples and rate of a clip, as ``audio.decode`` gives them."""
    import soundfile

    samples, rate = soundfile.read(CLIP, dtype="float32")
    return samples, np.array([rate])
