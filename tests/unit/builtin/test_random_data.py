"""Random samples: of the wanted form, within their bounds, and the same again from the same seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.builtin.random_data import OPTIONS, RandomDataSet, open_random
from mlharness.options import resolve_options


def opened(*arrays: dict[str, Any], **options: Any) -> RandomDataSet:
    given = resolve_options("data set 'r'", OPTIONS, {"arrays": list(arrays), **options})
    return open_random(given, None, Path)


@pytest.mark.parametrize(
    ("array", "dtype", "low", "high"),
    [
        ({"shape": [1000]}, "float32", 0, 1),
        ({"shape": [10, 100], "dtype": "float64", "low": -2, "high": 0.5}, "float64", -2, 0.5),
        ({"shape": [1000], "dtype": "int64"}, "int64", 0, 2),
        ({"shape": [1000], "dtype": "uint8", "low": 3, "high": 256}, "uint8", 3, 256),
        ({"shape": [1000], "dtype": "bool"}, "bool", 0, 2),
    ],
)
def test_numbers_lie_where_they_should(array: dict[str, Any], dtype: str, low: float, high: float) -> None:
    (sample,) = opened(array).sample(0)
    assert (sample.dtype, sample.shape) == (np.dtype(dtype), tuple(array["shape"]))
    spread = float(sample.max()) - float(sample.min())
    assert low <= sample.min()
    assert sample.max() < high
    assert spread > 0.9 * (high - low) - (array.get("dtype") in ("int64", "uint8", "bool"))


def test_samples_differ_and_come_again() -> None:
    data, again, other = opened({"shape": [4]}), opened({"shape": [4]}), opened({"shape": [4]}, seed=1)
    assert data.sample(3)[0].tolist() == again.sample(3)[0].tolist()
    assert data.sample(3)[0].tolist() not in (data.sample(4)[0].tolist(), other.sample(3)[0].tolist())


def test_a_sample_has_every_array() -> None:
    assert [array.shape for array in opened({"shape": [2]}, {"shape": []}).sample(0)] == [(2,), ()]
