"""The step ``image.class`` against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from mlharness.errors import UserError
from mlharness.providers import StepFunction

Make = Callable[..., StepFunction]


def rows(step: StepFunction, *outputs: npt.NDArray[np.generic]) -> list[list[float]]:
    result = step(outputs, {})
    (found,) = result if isinstance(result, tuple) else (result,)
    assert found.dtype == np.float32
    listed: list[list[float]] = found.tolist()
    return listed


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "float16"])
def test_of_scores_the_largest_wins(make: Make, dtype: str) -> None:
    scores = np.random.default_rng(1).permutation(np.arange(60)).reshape(5, 12).astype(dtype)
    assert rows(make("image.class"), scores) == [[float(best)] for best in scores.argmax(axis=1)]


def test_of_equal_scores_the_first_wins(make: Make) -> None:
    assert rows(make("image.class"), np.array([[1.0, 3.0, 3.0]])) == [[1.0]]


def test_chosen_classes_are_taken_as_they_are_and_further_outputs_left_out(make: Make) -> None:
    chosen = np.array([1000, 3], np.int64)
    scores = np.zeros((2, 1001), np.float32)
    assert rows(make("image.class", offset=-1), chosen, scores) == [[999.0], [2.0]]
    assert rows(make("image.class", offset=-1), chosen[:, None]) == [[999.0], [2.0]]


def test_the_background_becomes_no_class(make: Make) -> None:
    """As MLPerf's script reads it: class 0 of 1001 is none of the 1000, and so never right."""
    assert rows(make("image.class", offset=-1), np.array([[0.9, 0.1]])) == [[-1.0]]


@pytest.mark.parametrize("shape", [(), (2, 0), (2, 3, 4)])
def test_another_rank_is_refused(make: Make, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="needs"):
        make("image.class")((np.zeros(shape, np.float32),), {})
