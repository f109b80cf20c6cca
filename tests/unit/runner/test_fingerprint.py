"""A fingerprint is equal for equal outputs only, and its sketch tells rounding from another model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from mlharness.likeness import PROJECTIONS
from mlharness.providers import Array, TensorSpec
from mlharness.runner.fingerprint import SAMPLES, fingerprint
from mlharness.runner.worker import Worker
from tests.unit.runner.making import X, Y


class FakeWorker:
    """Only what a fingerprint asks of a worker."""

    def __init__(self, output: Callable[[int], Array], batch: int | None = None) -> None:
        self.inputs = (TensorSpec(X.name, X.dtype, (batch, 3)),)
        self.outputs = (Y,)
        self.asked: list[list[int]] = []
        self._output = output

    def outputs_of(self, indices: list[int]) -> list[Array]:
        self.asked.append(indices)
        return [np.stack([self._output(index) for index in indices])]


def take(output: Callable[[int], Array], samples: int = SAMPLES) -> dict[str, Any]:
    return fingerprint(cast("Worker", FakeWorker(output)), samples)


def model(index: int) -> Array:
    """float32 [50]."""
    return np.random.default_rng(index).standard_normal(50).astype(np.float32)


def distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    return float(np.abs(np.array(one["sketch"]) - np.array(other["sketch"])).max())


def test_equal_outputs_have_equal_fingerprints() -> None:
    assert take(model) == take(model)
    assert take(model)["samples"] == SAMPLES == len(take(model)["sketch"])
    assert {len(numbers) for numbers in take(model)["sketch"]} == {PROJECTIONS}


def test_rounding_moves_the_sketch_little_and_another_model_much() -> None:
    rounded = take(lambda index: np.nextafter(model(index), np.float32(9)))
    other = take(lambda index: model(index + 1000))
    assert len({take(model)["sha256"], rounded["sha256"], other["sha256"]}) == 3
    assert distance(take(model), rounded) < 1e-5
    assert distance(take(model), other) > 0.1


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row[::-1],
        lambda row: row.astype(np.float64),
        lambda row: row.reshape(5, 10),
        lambda row: np.concatenate([row[1:], row[:1]]),
    ],
)
def test_order_dtype_and_shape_count(change: Callable[[Array], Array]) -> None:
    assert take(lambda index: change(model(index)))["sha256"] != take(model)["sha256"]


def test_places_do_not_weigh_the_same() -> None:
    swapped = take(lambda index: np.concatenate([model(index)[1:], model(index)[:1]]))
    assert distance(take(model), swapped) > 0.01


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_leaves_numbers_that_json_can_hold(value: float) -> None:
    found = take(lambda index: np.array([1.0, value, 2.0]))
    assert np.isfinite(np.array(found["sketch"])).all()
    assert found["sha256"] != take(lambda index: np.array([1.0, 0.0, 2.0]))["sha256"]


def test_few_samples_and_outputs_of_one_number() -> None:
    found = take(lambda index: np.array(index, np.int64), samples=2)
    assert found["samples"] == 2
    assert take(lambda index: np.zeros(0, np.float32))["sketch"][0] == [0.0] * PROJECTIONS


def test_a_model_of_a_fixed_batch_is_asked_for_whole_batches() -> None:
    worker = FakeWorker(model, batch=8)
    assert fingerprint(cast("Worker", worker), SAMPLES) == take(model)
    assert worker.asked == [[index] * 8 for index in range(SAMPLES)]


@pytest.mark.parametrize("rows", [0, 5])
def test_rows_of_a_model_that_takes_one_sample_are_all_of_it(rows: int) -> None:
    worker = FakeWorker(model, batch=1)
    worker.outputs_of = lambda indices: [np.ones((rows, 2), np.float32)]  # type: ignore[method-assign]  # a detector's
    few = fingerprint(cast("Worker", worker), 1)
    assert len(few["sketch"]) == 1
    worker.outputs_of = lambda indices: [np.ones((rows + 1, 2), np.float32)]  # type: ignore[method-assign]  # as above
    assert fingerprint(cast("Worker", worker), 1)["sha256"] != few["sha256"]
