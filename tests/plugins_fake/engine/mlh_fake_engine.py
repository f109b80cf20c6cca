"""A plugin whose framework is a distribution of its own, in several versions and a variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlharness import hookimpl
from mlharness.providers import Array, Model, Predictor, TensorSpec
from mlharness.registrars import FrameworkRegistrar


class _Sum:
    inputs: Sequence[TensorSpec] = (TensorSpec("x", "float32", (None, 16)),)
    outputs: Sequence[TensorSpec] = (TensorSpec("y", "float32", (None, 1)),)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return [np.asarray(batch["x"].sum(axis=1, keepdims=True), np.float32)]

    def close(self) -> Sequence[Any]:
        return ()


def _load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    return _Sum()


def _version() -> str:
    import fake_engine  # type: ignore[import-not-found]  # a wheel that the tests write

    return str(fake_engine.__version__)


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    registrar.framework(
        "engine",
        load=_load,
        version=_version,
        aliases=["Fake Engine"],
        requirement="fake-engine",
        variants={"fast": "fake-engine-fast"},
    )
