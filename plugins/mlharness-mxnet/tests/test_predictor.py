"""What a predictor computes, and what it refuses."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BIAS, LINEAR, WEIGHTS, Load, Save, X, linear_symbol

from mlharness.errors import UserError
from mlharness.providers import Array, TensorSpec


def numbers(count: int = 2) -> Array:
    return np.random.default_rng(5).standard_normal((count, 4)).astype(np.float32)


def expected(x: Array) -> Array:
    result: Array = np.maximum(x @ WEIGHTS.T + BIAS, 0)
    return result


def test_it_computes_what_numpy_computes(linear: tuple[Path, Path], load: Load) -> None:
    predictor = load(linear)
    assert [*predictor.inputs] == [X]
    assert [*predictor.outputs] == [TensorSpec("relu", "float32", (None, 3))]
    for count in (2, 5, 1, 2):
        (found,) = predictor.predict({"x": numbers(count)})
        np.testing.assert_allclose(found, expected(numbers(count)), rtol=1e-5, atol=1e-6)


def test_the_files_may_stand_in_any_order(linear: tuple[Path, Path], load: Load) -> None:
    (found,) = load(linear[::-1]).predict({"x": numbers()})
    np.testing.assert_allclose(found, expected(numbers()), rtol=1e-5, atol=1e-6)


def test_an_output_outlives_the_next_call(linear: tuple[Path, Path], load: Load) -> None:
    predictor = load(linear)
    (first,) = predictor.predict({"x": numbers()})
    kept = first.copy()
    predictor.predict({"x": numbers() + 1})
    assert (first == kept).all()


def test_a_batch_need_not_be_contiguous(linear: tuple[Path, Path], load: Load) -> None:
    wide = np.repeat(numbers(), 2, axis=1)
    (found,) = load(linear).predict({"x": wide[:, ::2]})
    np.testing.assert_allclose(found, expected(numbers()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["fc", "fc_output"])
def test_any_layer_can_be_an_output(linear: tuple[Path, Path], load: Load, name: str) -> None:
    outputs = (TensorSpec(name, "float32", (None, 3)), TensorSpec("relu", "float32", (None, 3)))
    predictor = load(linear, outputs=outputs)
    assert [*predictor.outputs] == [*outputs]
    product, found = predictor.predict({"x": numbers()})
    np.testing.assert_allclose(product, numbers() @ WEIGHTS.T + BIAS, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found, expected(numbers()), rtol=1e-5, atol=1e-6)


def test_labels_are_no_inputs(mx: Any, save: Save, load: Load) -> None:
    symbol = mx.sym.SoftmaxOutput(linear_symbol(mx), name="softmax")
    predictor = load(save(symbol, LINEAR))
    (found,) = predictor.predict({"x": numbers()})
    powers = np.exp(expected(numbers()))
    np.testing.assert_allclose(found, powers / powers.sum(1, keepdims=True), rtol=1e-5)


def test_two_inputs_in_any_order(mx: Any, save: Save, load: Load) -> None:
    files = save(mx.sym.broadcast_sub(mx.sym.var("a"), mx.sym.var("b"), name="difference"))
    specs = tuple(TensorSpec(name, "float32", (None, 4)) for name in "ba")
    (found,) = load(files, specs).predict({"a": numbers(), "b": numbers() * 3})
    np.testing.assert_allclose(found, numbers() * -2, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int32", "int8", "uint8"])
def test_dtypes(mx: Any, save: Save, load: Load, dtype: str) -> None:
    files = save(mx.sym.Flatten(mx.sym.var("x"), name="same"))
    predictor = load(files, (TensorSpec("x", dtype, (None, 2, 3)),))
    assert [*predictor.outputs] == [TensorSpec("same", dtype, (None, 6))]
    values = np.arange(12).reshape(2, 2, 3).astype(dtype)
    (found,) = predictor.predict({"x": values})
    assert found.dtype == dtype
    assert (found == values.reshape(2, 6)).all()


def test_half_precision_parameters(mx: Any, save: Save, load: Load) -> None:
    symbol = mx.sym.broadcast_mul(mx.sym.var("x"), mx.sym.var("scale"), name="scaled")
    files = save(symbol, {"arg:scale": np.full((1, 4), 2, np.float16)})
    (found,) = load(files, (TensorSpec("x", "float16", (None, 4)),)).predict({"x": numbers().astype(np.float16)})
    assert found.dtype == np.float16
    assert (found == numbers().astype(np.float16) * 2).all()


def test_free_axes(mx: Any, save: Save, load: Load) -> None:
    files = save(mx.sym.relu(mx.sym.var("x"), name="same"))
    predictor = load(files, (TensorSpec("x", "float32", (None, None, 3)),))
    assert predictor.outputs[0].shape == (None, None, 3)
    for length in (1, 7, 2):
        assert predictor.predict({"x": np.ones((2, length, 3), np.float32)})[0].shape == (2, length, 3)


def test_a_fixed_batch(linear: tuple[Path, Path], load: Load) -> None:
    predictor = load(linear, (TensorSpec("x", "float32", (4, 4)),))
    assert predictor.outputs[0].shape == (4, 3)


def test_an_output_without_samples_is_refused(mx: Any, save: Save, load: Load) -> None:
    with pytest.raises(UserError, match="without a row for each sample"):
        load(save(mx.sym.sum(mx.sym.var("x"), name="total")))


def test_another_dtype_than_declared_is_refused(linear: tuple[Path, Path], load: Load) -> None:
    with pytest.raises(TypeError, match="float64"):
        load(linear).predict({"x": numbers().astype(np.float64)})


@pytest.mark.parametrize(
    ("inputs", "message", "remedy"),
    [
        ((TensorSpec("y", "float32", (None, 4)),), "no input layer 'y'", "Known: x."),
        ((TensorSpec("fc_weight", "float32", (3, 4)),), "no input layer 'fc_weight'", "Known: x."),
        ((), "does not say what it takes", "the likely input layers: x"),
        ((TensorSpec("x", "float32", (None, 5)),), r"cannot take x \[1, 5\]", "Correct inputs"),
        ((TensorSpec("x", "int32", (None, 4)),), "cannot take x int32", "Correct the dtype"),
        ((TensorSpec("x", "complex64", (None, 4)),), "cannot take x complex64", "Correct the dtype"),
    ],
)
def test_inputs_that_do_not_fit(
    linear: tuple[Path, Path], load: Load, inputs: tuple[TensorSpec, ...], message: str, remedy: str
) -> None:
    with pytest.raises(UserError, match=message) as raised:
        load(linear, inputs)
    assert remedy in raised.value.remedy


def test_an_undeclared_input_is_named(mx: Any, save: Save, load: Load) -> None:
    files = save(mx.sym.broadcast_add(linear_symbol(mx), mx.sym.var("mask")), LINEAR)
    with pytest.raises(UserError, match="'mask' is neither among the parameters nor") as raised:
        load(files)
    assert "x, mask" in raised.value.remedy


def test_a_misspelt_output_is_named(linear: tuple[Path, Path], load: Load) -> None:
    with pytest.raises(UserError, match="no output layer 'rleu'") as raised:
        load(linear, outputs=(TensorSpec("rleu", "float32", (None, 3)),))
    assert "'relu'" in raised.value.remedy


@pytest.mark.parametrize("device", ["cuda:0", "cuda", "cuda:x", "gpu:0"])
def test_a_device_that_is_not_there(linear: tuple[Path, Path], load: Load, device: str) -> None:
    with pytest.raises(UserError, match="has no device") as raised:
        load(linear, device=device)
    assert "cpu" in raised.value.remedy


def test_an_executor_is_kept_for_each_size_and_they_share_memory(mx: Any, save: Save, load: Load) -> None:
    net = mx.sym.var("x")
    for number in range(4):
        net = mx.sym.relu(mx.sym.broadcast_add(net, net), name=f"layer{number}")
    predictor = load(save(net), (TensorSpec("x", "float32", (None, 1000)),))
    outputs = [predictor.predict({"x": np.ones((count, 1000), np.float32)})[0] for count in (3, 1, 8, 3, 1)]
    assert [output.shape for output in outputs] == [(count, 1000) for count in (3, 1, 8, 3, 1)]
    assert all((output == 16).all() for output in outputs)
    tracemalloc.start()
    try:
        predictor.predict({"x": np.ones((3, 1000), np.float32)})
        assert tracemalloc.get_traced_memory()[0] < 100_000  # nothing was bound anew
    finally:
        tracemalloc.stop()


def test_places_and_what_the_manifest_leaves_open(linear: tuple[Path, Path], load: Load) -> None:
    loaded = load(linear, (TensorSpec("0", "", (None, 4)),), (TensorSpec("0", "", ()),))
    assert list(loaded.inputs) == [TensorSpec("x", "float32", (None, 4))]
    assert [(spec.name, spec.dtype, spec.shape) for spec in loaded.outputs] == [("relu", "float32", (None, 3))]
    with pytest.raises(UserError, match="declares no inputs with their shapes"):
        load(linear, (TensorSpec("x", "float32", ()),))
