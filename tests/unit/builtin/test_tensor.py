"""Steps on arrays: values, dtypes and shapes as their documentation says, and inputs left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

from mlharness.builtin.tensor import mlh_register_steps
from mlharness.errors import UserError
from mlharness.options import resolve_options
from mlharness.providers import Array, Arrays, StepProvider
from mlharness.registrars import Catalog, StepRegistrar

Run = Callable[..., Arrays]


def provider(name: str) -> StepProvider:
    catalog = Catalog()
    mlh_register_steps(StepRegistrar(catalog, "builtin-tensor"))
    return catalog.steps.find(name).provider


@pytest.fixture
def run() -> Run:
    """``run(name, arrays, parameters)``, with parameters checked as the kernel checks them."""

    def run_it(name: str, *arrays: Array, **parameters: Any) -> Arrays:
        step = provider(name)
        made = step.make(**resolve_options(f"step {name!r}", step.parameters, parameters))
        before = [array.copy() for array in arrays]
        found = made(arrays, {})
        for array, kept in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, kept, "the library's array is not the step's to change")
        assert isinstance(found, tuple)
        return found

    return run_it


def test_argmax_gives_one_float32_class_number_per_row(run: Run) -> None:
    (found,) = run("tensor.argmax", np.array([[0.1, 0.9, 0.0], [3.0, -1.0, 3.0], [-5.0, -4.0, -3.0]]))
    assert (found.dtype.name, found.tolist()) == ("float32", [[1.0], [0.0], [2.0]])
    assert provider("tensor.argmax").batch
    assert run("tensor.argmax", np.zeros((0, 5)))[0].shape == (0, 1)


def test_argmax_reads_only_the_first_output(run: Run) -> None:
    assert len(run("tensor.argmax", np.eye(3), np.zeros((3, 7)))) == 1
    assert len(run("tensor.top-k", np.eye(3), np.zeros((3, 7)), k=2)) == 1


def test_softmax_hands_further_outputs_on(run: Run) -> None:
    second = np.ones((3, 7))
    assert run("tensor.softmax", np.eye(3), second)[1] is second


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_top_k_are_the_indices_of_the_largest_of_each_row_the_largest_first(run: Run, dtype: str, k: int) -> None:
    rows = np.random.default_rng(2).permuted(np.arange(70).reshape(7, 10), axis=1).astype(dtype)
    (found,) = run("tensor.top-k", rows, k=k)
    assert (found.dtype.name, found.shape) == ("float32", (7, k))
    np.testing.assert_array_equal(found, np.argsort(-rows.astype(float), axis=1)[:, :k])
    np.testing.assert_array_equal(found[:, :1], run("tensor.argmax", rows)[0])
    assert provider("tensor.top-k").batch


def test_of_equal_values_the_first_comes_first_as_in_argmax(run: Run) -> None:
    (found,) = run("tensor.top-k", np.array([[2, 7, 7, 1, 7]], np.uint8), k=4)
    assert found.tolist() == [[1, 2, 4, 0]]
    assert run("tensor.top-k", np.zeros((1, 6), bool))[0].tolist() == [[0, 1, 2, 3, 4]]
    assert run("tensor.top-k", np.zeros((0, 5), np.float32))[0].shape == (0, 5)


@pytest.mark.parametrize("k", [0, -1])
def test_no_largest_at_all(run: Run, k: int) -> None:
    with pytest.raises(UserError, match=f"k is {k}"):
        run("tensor.top-k", np.zeros((1, 5)), k=k)


@pytest.mark.parametrize("shape", [(2, 4), (5,), (2, 3, 5)])
def test_top_k_of_what_has_no_k_classes(run: Run, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="the 5 largest are wanted of an array"):
        run("tensor.top-k", np.zeros(shape))


@pytest.mark.parametrize(("dtype", "gives"), [("float16", "float16"), ("float32", "float32"), ("float64", "float64")])
@pytest.mark.parametrize("shape", [(3, 1000), (2, 4, 5), (1, 1)])
def test_softmax_is_scipys(run: Run, dtype: str, gives: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(4).normal(0, 5, shape).astype(dtype)
    (found,) = run("tensor.softmax", values)
    assert found.dtype.name == gives
    np.testing.assert_array_equal(found, scipy.special.softmax(values, axis=-1))


def test_softmax_of_whole_numbers_and_of_what_would_overflow(run: Run) -> None:
    (found,) = run("tensor.softmax", np.array([[1, 2, 250]], np.uint8))
    assert found.dtype.name == "float32"
    np.testing.assert_allclose(found, scipy.special.softmax([[1, 2, 250]], axis=-1), rtol=1e-6, atol=1e-30)
    with np.errstate(all="raise", under="ignore"):
        (large,) = run("tensor.softmax", np.array([[1e30, 1e30, -1e30]], np.float32))
    assert large.tolist() == [[0.5, 0.5, 0.0]]


@pytest.mark.parametrize("side", ["end", "start"])
@pytest.mark.parametrize(("axis", "missing"), [(0, 3), (1, 1), (-1, 1)])
@pytest.mark.parametrize("dtype", ["int64", "float16", "uint8", "bool"])
def test_pad_is_numpys(run: Run, dtype: str, axis: int, missing: int, side: str) -> None:
    array = np.random.default_rng(5).integers(0, 2, (4, 6)).astype(dtype)
    (found,) = run("tensor.pad", array, length=7, axis=axis, value=1, side=side)
    widths = [[0, 0], [0, 0]]
    widths[axis] = [0, missing] if side == "end" else [missing, 0]
    np.testing.assert_array_equal(found, np.pad(array, widths, constant_values=1))
    assert found.dtype == array.dtype


@pytest.mark.parametrize("length", [1, 6])
def test_pad_leaves_what_is_long_enough(run: Run, length: int) -> None:
    array = np.arange(6)
    assert run("tensor.pad", array, length=length)[0] is array


@pytest.mark.parametrize(("value", "dtype"), [(0.5, "int64"), (-1, "uint8"), (300, "uint8"), (2, "bool")])
def test_a_value_that_the_array_cannot_hold(run: Run, value: float, dtype: str) -> None:
    with pytest.raises(UserError, match=f"{value} is no {dtype}"):
        run("tensor.pad", np.zeros(2, dtype), length=3, value=value)


def test_truncate_drops_the_end_or_the_start(run: Run) -> None:
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    (found,) = run("tensor.truncate", array, length=2)
    np.testing.assert_array_equal(found, array[:2])
    np.testing.assert_array_equal(run("tensor.truncate", array, length=3, axis=-1)[0], array[:, :3])
    np.testing.assert_array_equal(run("tensor.truncate", array, length=1, axis=1, side="start")[0], array[:, -1:])
    assert run("tensor.truncate", array, length=3)[0] is array
    assert (found.dtype.name, found.base) == ("int32", None)


@pytest.mark.parametrize("name", ["tensor.pad", "tensor.truncate"])
def test_lengths_and_axes_that_cannot_be(run: Run, name: str) -> None:
    with pytest.raises(UserError, match="length is 0"):
        run(name, np.zeros(2), length=0)
    with pytest.raises(UserError, match=r"an array \[2\] has no axis 1"):
        run(name, np.zeros(2), length=1, axis=1)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32", "float64", "bool"])
def test_scale_gives_float32_of_anything(run: Run, dtype: str) -> None:
    (found,) = run("tensor.scale", np.array([0, 1], dtype), factor=2.0, offset=-0.5)
    assert (found.dtype.name, found.tolist()) == ("float32", [-0.5, 1.5])


def test_scale_does_not_overflow_small_integers(run: Run) -> None:
    assert run("tensor.scale", np.array([200, 255], np.uint8), factor=2, offset=1)[0].tolist() == [401.0, 511.0]


def test_scale_without_parameters_changes_nothing_but_the_dtype(run: Run) -> None:
    assert run("tensor.scale", np.arange(4).reshape(2, 2))[0].tolist() == [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    ("shape", "found"), [([2, 3], (2, 3)), ([-1], (6,)), ([1, -1, 2], (1, 3, 2)), ((6, 1), (6, 1))]
)
def test_reshape(run: Run, shape: Any, found: tuple[int, ...]) -> None:
    (array,) = run("tensor.reshape", np.arange(6, dtype=np.int16), shape=shape)
    assert (array.shape, array.dtype.name) == (found, "int16")
    assert array.ravel().tolist() == list(range(6))


def test_cast(run: Run) -> None:
    (array,) = run("tensor.cast", np.array([1.9, -1.9]), dtype="int32")
    assert (array.dtype.name, array.tolist()) == ("int32", [1, -1])


def test_cast_to_what_numpy_does_not_know(run: Run) -> None:
    with pytest.raises(UserError, match="'flaot32' is no dtype of NumPy"):
        run("tensor.cast", np.zeros(2), dtype="flaot32")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("tensor.scale", {}),
        ("tensor.reshape", {"shape": [2]}),
        ("tensor.cast", {"dtype": "int8"}),
        ("tensor.pad", {"length": 3}),
        ("tensor.pad", {"length": 2}),
        ("tensor.truncate", {"length": 1}),
        ("tensor.truncate", {"length": 2}),
    ],
)
def test_further_arrays_are_handed_on(run: Run, name: str, parameters: dict[str, Any]) -> None:
    second = np.ones(7)
    assert run(name, np.zeros(2), second, **parameters)[1] is second
    assert not provider(name).batch


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("tensor.reshape", "shape"), ("tensor.cast", "dtype"), ("tensor.pad", "length"), ("tensor.truncate", "length")],
)
def test_what_has_no_default_must_be_given(run: Run, name: str, parameter: str) -> None:
    with pytest.raises(UserError, match=parameter):
        run(name, np.zeros(2))
