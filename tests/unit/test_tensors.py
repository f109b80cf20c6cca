"""Declared tensors beside a loaded model's."""

from __future__ import annotations

import pytest

from mlharness.providers import TensorSpec
from mlharness.tensors import described, fixed_batch, own_names, settle


@pytest.mark.parametrize(
    ("declared", "own", "found"),
    [
        (["images"], ["images", "mask"], ["images"]),
        (["0"], ["images"], ["images"]),
        (["1", "0"], ["images", "mask"], ["mask", "images"]),
        (["0"], ["1", "0"], ["0"]),
        (["2"], ["images"], ["2"]),
        (["x"], ["images"], ["x"]),
        (["²", "٠", "9999999999"], ["images"], ["²", "٠", "9999999999"]),
        ([], ["images"], []),
    ],
)
def test_a_place_stands_for_the_name_there(declared: list[str], own: list[str], found: list[str]) -> None:
    assert own_names(declared, own) == found


def test_what_is_open_is_the_models() -> None:
    images, mask = TensorSpec("images", "float32", (None, 3, 8, 8)), TensorSpec("mask", "int64", (None, 8))
    declared = (TensorSpec("1", "", ()), TensorSpec("images", "float32", (1, 3, 8, 8)), TensorSpec("odd", "", ()))
    assert settle(declared, [images, mask]) == (mask, TensorSpec("images", "float32", (1, 3, 8, 8)), declared[2])
    assert settle((), [images]) == ()


def test_an_open_shape_has_no_batch() -> None:
    assert [fixed_batch(TensorSpec("x", "", shape)) for shape in ((), (None, 3), (4, 3))] == [None, None, 4]
    assert described(TensorSpec("x", "float32", ())) == "float32"
    assert described(TensorSpec("x", "", (None, 3))) == "[None, 3]"
