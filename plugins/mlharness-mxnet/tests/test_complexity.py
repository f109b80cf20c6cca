"""Parameters and multiply-adds against figures that are known otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import Load, Save
from mlharness_mxnet import building, plugin
from mlharness_mxnet.complexity import measure
from mlharness_mxnet.graph import parse_graph
from mlharness_mxnet.network import Network

from mlharness.providers import Complexity, TensorSpec


def count(load: Load, save: Save, symbol: Any, shape: tuple[int, ...], rows: int = 1) -> Complexity:
    """The complexity of a network whose input is ``x``, with weights of ones."""
    shapes, _, states = symbol.infer_shape(x=(1, *shape))
    arrays = {f"arg:{name}": size for name, size in zip(symbol.list_arguments(), shapes, strict=True) if name != "x"}
    arrays |= {f"aux:{name}": size for name, size in zip(symbol.list_auxiliary_states(), states, strict=True)}
    files = save(symbol, {name: np.ones(size, np.float32) for name, size in arrays.items()})
    predictor = load(files, (TensorSpec("x", "float32", (None, *shape)),))
    return plugin.complexity(predictor, {"x": np.ones((rows, *shape), np.float32)})


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution(mx: Any, load: Load, save: Save, groups: int, rows: int) -> None:
    symbol = mx.sym.Convolution(mx.sym.var("x"), kernel=(3, 3), num_filter=8, num_group=groups, name="conv")
    found = count(load, save, symbol, (4, 6, 6), rows)
    assert found == Complexity(8 * 4 // groups * 9 + 8, 8 * 4 * 4 * (4 // groups) * 9)


def test_a_transposed_convolution(mx: Any, load: Load, save: Save) -> None:
    symbol = mx.sym.Deconvolution(mx.sym.var("x"), kernel=(2, 2), stride=(2, 2), num_filter=8, name="up")
    assert count(load, save, symbol, (4, 3, 3)).multiply_adds == 4 * 3 * 3 * 8 * 4


def test_a_matrix(mx: Any, load: Load, save: Save) -> None:
    assert count(load, save, mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=5), (7,), 3) == Complexity(40, 35)


def test_a_product_of_inputs(mx: Any, load: Load, save: Save) -> None:
    x = mx.sym.var("x")
    assert count(load, save, mx.sym.batch_dot(x, x, transpose_b=True), (5, 7), 2) == Complexity(0, 5 * 7 * 5)


@pytest.mark.parametrize(("fixed", "parameters"), [(True, 4), (False, 8)])
def test_running_statistics_and_fixed_scales_are_not_learnt(
    mx: Any, load: Load, save: Save, fixed: bool, parameters: int
) -> None:
    symbol = mx.sym.BatchNorm(mx.sym.var("x"), fix_gamma=fixed, name="bn")
    assert count(load, save, symbol, (4, 2, 2)) == Complexity(parameters, 0)


def test_what_is_not_understood_is_not_counted(mx: Any, load: Load, save: Save) -> None:
    x = mx.sym.var("x")
    assert count(load, save, mx.sym.linalg.gemm2(x, x), (3, 3)) == Complexity(0, None)


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [("resnet50_v1", 25_575_912, 3.86e9), ("resnet18_v1", 11_689_512, 1.814e9), ("mobilenet1.0", 4_231_976, 0.569e9)],
)
def test_networks_of_the_zoo(mx: Any, name: str, parameters: int, multiply_adds: float) -> None:
    """resnet18_v1 has as many parameters as torchvision's ResNet-18; the 50 has biases more than torchvision's."""
    net = building.maker(mx, name)()
    symbol = net(mx.sym.var("images"))
    shapes, _, _ = symbol.infer_shape(images=(1, 3, 224, 224))
    arrays = dict(zip(symbol.list_arguments(), shapes, strict=True))
    del arrays["images"]
    arguments = {key: np.broadcast_to(np.float32(0), shape) for key, shape in arrays.items()}
    network = Network(symbol, parse_graph(symbol.tojson(), name), arguments, {}, name)
    found = measure(network, {"images": (1, 3, 224, 224)})
    assert found.parameters == parameters
    assert found.multiply_adds == pytest.approx(multiply_adds, rel=2e-3)
