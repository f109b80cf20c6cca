"""Steps on arrays: values, dtypes and shapes as their documentation says, and inputs left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

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
    [("tensor.scale", {}), ("tensor.reshape", {"shape": [2]}), ("tensor.cast", {"dtype": "int8"})],
)
def test_further_arrays_are_handed_on(run: Run, name: str, parameters: dict[str, Any]) -> None:
    second = np.ones(7)
    assert run(name, np.zeros(2), second, **parameters)[1] is second
    assert not provider(name).batch


@pytest.mark.parametrize(("name", "parameter"), [("tensor.reshape", "shape"), ("tensor.cast", "dtype")])
def test_what_has_no_default_must_be_given(run: Run, name: str, parameter: str) -> None:
    with pytest.raises(UserError, match=parameter):
        run(name, np.zeros(2))
