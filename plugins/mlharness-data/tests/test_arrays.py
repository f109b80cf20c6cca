"""The data-set kind ``numpy``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import write_npz
from mlharness_data.arrays import OPTIONS, mapped, open_arrays

from mlharness.errors import UserError
from mlharness.options import resolve_options

Open = Callable[..., Any]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens files of the test's folder as the runner does."""
    write_npz(tmp_path / "rows.npz")
    np.save(tmp_path / "images.npy", np.arange(24, dtype=np.uint8).reshape(3, 2, 4))
    np.save(tmp_path / "words.npy", np.array(["cat", "Füße", ""]))
    np.save(tmp_path / "points.npy", np.array([[1, 2], [3, 4], [5, 6]]))
    np.save(tmp_path / "pickled.npy", np.array([{}, {}, {}]), allow_pickle=True)
    np.save(tmp_path / "four.npy", np.zeros(4))

    def of(count: int | None = None, **options: Any) -> Any:
        return open_arrays(resolve_options("data set 'numpy'", OPTIONS, options), count, tmp_path.joinpath)

    return of


def test_an_archive_gives_its_arrays_in_order(opened: Open) -> None:
    dataset = opened(file="rows.npz", label="truth")
    age, height = dataset.sample(1)
    assert (age.dtype, age.shape, age.item()) == (np.int64, (), 4)
    assert (height.dtype, height.item()) == (np.float32, 0.75)
    assert [dataset.label(index) for index in range(3)] == [0, 1, 1]
    (only,) = opened(file="rows.npz", inputs=["heights"]).sample(0)
    assert only.item() == 1.5


def test_files_of_their_own_are_mapped(opened: Open, tmp_path: Path) -> None:
    dataset = opened(file="images.npy", inputs=["words.npy"], label="points.npy", rows=[1, 3])
    image, word = dataset.sample(0)
    assert image.tolist() == [[8, 9, 10, 11], [12, 13, 14, 15]]
    assert type(image) is np.ndarray
    assert word.tobytes().decode() == "Füße"
    assert dataset.sample(1)[1].size == 0
    assert dataset.label(1) == [5, 6]
    assert isinstance(mapped(tmp_path / "images.npy"), np.memmap)
    assert len(opened(1, file="images.npy", rows=[1, 3])) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "names no array"),
        ({"file": "images.npy", "label": "four.npy"}, r"'images\.npy' has 3 samples, and the labels 'four\.npy' has 4"),
        ({"file": "images.npy", "inputs": ["four.npy"]}, r"the array 'four\.npy' has 4"),
        ({"file": "rows.npz", "label": "truht"}, r"rows\.npz has no array 'truht'\nDid you mean 'truth'"),
        ({"file": "pickled.npy"}, r"pickled\.npy is no \.npy file that can be read: .*objects in dtype"),
        ({"inputs": ["ages"]}, "file names no .npz"),
        ({"file": "images.npy", "rows": [0, 4]}, r"rows is \[0, 4\], and .*images\.npy has 3 rows"),
        ({"file": "images.npy", "rows": [2, 2]}, "no rows to use"),
    ],
)
def test_what_cannot_be_used_is_named(opened: Open, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        opened(**options)
    assert caught.value.remedy
