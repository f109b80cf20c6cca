"""The data-set kind ``huggingface``, on folders and the package's cache: nothing is fetched."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import ROWS, write_folder
from mlharness_data.huggingface import OPTIONS, open_huggingface

from mlharness.errors import UserError
from mlharness.options import resolve_options

Open = Callable[..., Any]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    def of(count: int | None = None, **options: Any) -> Any:
        return open_huggingface(resolve_options("data set 'huggingface'", OPTIONS, options), count, tmp_path.joinpath)

    return of


def test_a_folder_gives_what_records_would(opened: Open, tmp_path: Path) -> None:
    write_folder(tmp_path / "rows")
    dataset = opened(
        folder="rows", columns=["age", "word", ["age", "height"]], dtypes=[None, None, "float32"], label="label"
    )
    dataset.check()
    for index, row in enumerate(ROWS):
        age, word, both = dataset.sample(index)
        assert (age.dtype, age.tolist()) == (np.int64, [row["age"]])
        assert word.tobytes().decode() == row["word"]
        assert (both.dtype, both.tolist()) == (np.float32, [row["age"], row["height"]])
        assert dataset.label(index) == row["label"]
    assert len(opened(1, folder="rows", columns=["age"], rows=[1, 3])) == 1


def test_a_split_is_chosen_by_name(opened: Open, tmp_path: Path) -> None:
    import datasets

    parts = {name: datasets.Dataset.from_list(ROWS[:size]) for name, size in (("train", 2), ("validation", 1))}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "parts"))
    assert len(opened(folder="parts", split="validation", columns=["age"])) == 1
    with pytest.raises(UserError, match=r"parts has several splits\nSet split. Known: train, validation"):
        opened(folder="parts", columns=["age"])
    with pytest.raises(UserError, match=r"no split 'validaton'\nSet split. Did you mean 'validation'"):
        opened(folder="parts", split="validaton", columns=["age"])


def test_an_image_is_the_bytes_of_its_file(opened: Open, tmp_path: Path) -> None:
    import datasets
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (9, 8, 7)).save(buffer, "PNG")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = [{"image": {"bytes": buffer.getvalue(), "path": None}, "label": 1}]
    datasets.Dataset.from_list(rows, features=features).save_to_disk(str(tmp_path / "images"))
    dataset = opened(folder="images", columns=["image"], label="label")
    assert dataset.sample(0)[0].tobytes() == buffer.getvalue()
    assert dataset.label(0) == 1


def test_a_missing_value_is_named_by_its_row(opened: Open, tmp_path: Path) -> None:
    write_folder(tmp_path / "rows", [{"a": 1}, {"a": None}])
    with pytest.raises(UserError, match="rows: row 1: column 'a' holds nothing"):
        opened(folder="rows", columns=["a"]).check()


def test_what_is_neither_fetched_nor_cached_is_told(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"nobody/nothing cannot be opened.*") as caught:
        opened(path="nobody/nothing", split="test", columns=["a"])
    assert "load_from_disk" in caught.value.remedy or "save_to_disk" in caught.value.remedy


def test_without_the_package_the_command_is_told(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'mlharness-data\[huggingface\]'"):
        opened(path="a/b", columns=["a"])
    with pytest.raises(UserError, match="either path or folder"):
        opened(columns=["a"])
