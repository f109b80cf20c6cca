"""Tiny networks, made on the spot, and a cache of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_mxnet import engine, plugin
from mlharness_mxnet.predictor import MxnetPredictor

from mlharness.options import resolve_options
from mlharness.providers import Array, Model, TensorSpec

Save = Callable[..., tuple[Path, Path]]
Load = Callable[..., MxnetPredictor]

WEIGHTS = np.random.default_rng(3).standard_normal((3, 4)).astype(np.float32)
BIAS = np.array([0.5, -0.5, 0.25], np.float32)
X = TensorSpec("x", "float32", (None, 4))


@pytest.fixture(scope="session")
def mx() -> Any:
    """MXNet, with the engine that predictors use."""
    return engine.start()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def save(mx: Any, tmp_path: Path) -> Save:
    """``save(symbol, arrays)``: the files of a network; keys of ``arrays`` begin with ``arg:`` or ``aux:``."""

    def save_it(symbol: Any, arrays: Mapping[str, Array] | None = None) -> tuple[Path, Path]:
        files = tmp_path / "tiny-symbol.json", tmp_path / "tiny-0000.params"
        symbol.save(str(files[0]))
        mx.nd.save(str(files[1]), {key: mx.nd.array(array, dtype=array.dtype) for key, array in (arrays or {}).items()})
        return files

    return save_it


def linear_symbol(mx: Any) -> Any:
    """x [batch, 4] -> fc = x @ WEIGHTS.T + BIAS [batch, 3] -> relu."""
    return mx.sym.Activation(mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=3, name="fc"), "relu", name="relu")


LINEAR = {"arg:fc_weight": WEIGHTS, "arg:fc_bias": BIAS}


@pytest.fixture
def linear(mx: Any, save: Save) -> tuple[Path, Path]:
    """The files of :func:`linear_symbol`."""
    return save(linear_symbol(mx), LINEAR)


@pytest.fixture
def load() -> Iterator[Load]:
    """``load(files, inputs, outputs, device, options)``, with options checked as the kernel checks them."""
    loaded = []

    def load_it(
        files: tuple[Path, ...],
        inputs: tuple[TensorSpec, ...] = (X,),
        outputs: tuple[TensorSpec, ...] = (),
        device: str = "cpu",
        **options: Any,
    ) -> MxnetPredictor:
        resolved = resolve_options("framework 'mxnet'", plugin.OPTIONS, {"threads": 1, **options})
        predictor = plugin.load(Model("tiny", files, inputs, outputs), device, resolved)
        assert isinstance(predictor, MxnetPredictor)
        loaded.append(predictor)
        return predictor

    yield load_it
    for predictor in loaded:
        predictor.close()
