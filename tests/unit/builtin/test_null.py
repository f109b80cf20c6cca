"""The null framework and data set: they answer at once, and keep the contract all the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.builtin.null import load_null, mlh_register_datasets, mlh_register_frameworks, open_null
from mlharness.errors import UserError
from mlharness.options import resolve_options
from mlharness.providers import Model, TensorSpec
from mlharness.registrars import Catalog, DataSetRegistrar, FrameworkRegistrar

MODEL = Model(
    "m",
    (),
    (TensorSpec("x", "float32", (None, 4)),),
    (TensorSpec("y", "int64", (None, None, 3)), TensorSpec("z", "float16", (None,))),
)


def locate(source: str) -> Path:
    raise AssertionError("there are no files")


def test_zeros_of_the_declared_outputs_one_row_per_sample() -> None:
    predictor = load_null(MODEL, "cpu", {"largest_batch": 8})
    for count in (1, 8, 3):
        y, z = predictor.predict({"x": np.ones((count, 4), np.float32)})
        assert (y.shape, y.dtype.name) == ((count, 1, 3), "int64")
        assert (z.shape, z.dtype.name) == ((count,), "float16")
        assert not y.any()
    assert (predictor.inputs, predictor.outputs) == (MODEL.inputs, MODEL.outputs)
    assert predictor.close() == ()


def test_nothing_is_allocated_while_it_answers() -> None:
    predictor = load_null(MODEL, "cpu", {"largest_batch": 8})
    batch = {"x": np.ones((2, 4), np.float32)}
    assert np.shares_memory(predictor.predict(batch)[0], predictor.predict(batch)[0])


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_without_declared_tensors_there_is_nothing_to_answer(side: str) -> None:
    kept: dict[str, Sequence[TensorSpec]] = {"inputs": MODEL.inputs, "outputs": MODEL.outputs, side: ()}
    with pytest.raises(UserError, match="needs declared inputs and outputs"):
        load_null(Model("m", (), tuple(kept["inputs"]), tuple(kept["outputs"])), "cpu", {"largest_batch": 8})


@pytest.mark.parametrize("spec", [TensorSpec("y", "", (None, 2)), TensorSpec("y", "float32", ())])
def test_it_has_no_file_that_could_tell_what_a_manifest_leaves_open(spec: TensorSpec) -> None:
    with pytest.raises(UserError, match="the null framework does not know 'y'"):
        load_null(Model("m", (), MODEL.inputs, (spec,)), "cpu", {"largest_batch": 8})


def test_there_is_only_the_cpu() -> None:
    with pytest.raises(UserError, match="has no device 'cuda:0'") as caught:
        load_null(MODEL, "cuda:0", {"largest_batch": 8})
    assert "--device cpu" in caught.value.remedy


@pytest.mark.parametrize(("count", "length"), [(None, 10), (4, 4), (99, 10)])
def test_the_data_set_is_as_long_as_it_may_be(count: int | None, length: int) -> None:
    dataset = open_null({"count": 10, "shape": [2, 3]}, count, locate)
    dataset.check()
    assert len(dataset) == length
    (sample,) = dataset.sample(length - 1)
    assert (sample.shape, sample.dtype.name, bool(sample.any())) == ((2, 3), "float32", False)
    assert dataset.label(0) == 0


def test_every_option_has_a_default_that_works() -> None:
    catalog = Catalog()
    mlh_register_frameworks(FrameworkRegistrar(catalog, "builtin-null"))
    mlh_register_datasets(DataSetRegistrar(catalog, "builtin-null"))
    framework, dataset = catalog.frameworks.find("null").provider, catalog.datasets.find("null").provider
    predictor = framework.load(MODEL, "cpu", resolve_options("framework", framework.options, {}))
    assert predictor.predict({"x": np.ones((2, 4), np.float32)})[0].shape == (2, 1, 3)
    opened: Any = dataset.open(resolve_options("data set", dataset.options, {}), None, locate)
    assert opened.sample(0)[0].shape == (16,)
    assert (framework.version(), list(framework.devices())) == ("1", ["cpu"])
