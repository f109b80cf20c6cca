"""The data-set kind ``images``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_vision.images import open_images
from PIL import Image

from mlharness.errors import UserError
from mlharness.providers import DataSet, FileDataSet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, color in (("red.png", (255, 0, 0)), ("blue.jpg", (0, 0, 255))):
        Image.new("RGB", (6, 4), color).save(tmp_path / name)
    return tmp_path


@pytest.fixture
def items() -> list[dict[str, Any]]:
    return [{"file": "red.png", "label": 7}, {"file": "blue.jpg", "label": None}]


def test_samples_are_the_files_bytes_and_labels_the_items(folder: Path, items: list[dict[str, Any]]) -> None:
    dataset: DataSet = open_images({"items": items}, None, folder.joinpath)
    dataset.check()
    assert len(dataset) == 2
    (data,) = dataset.sample(0)
    assert data.dtype == np.uint8
    assert data.ndim == 1
    assert data.tobytes() == (folder / "red.png").read_bytes()
    assert [dataset.label(index) for index in range(2)] == [7, None]
    assert isinstance(dataset, FileDataSet)
    assert [dataset.file(index) for index in range(2)] == [folder / "red.png", folder / "blue.jpg"]


def test_a_sample_is_a_file(folder: Path, items: list[dict[str, Any]]) -> None:
    dataset: FileDataSet = open_images({"items": items}, None, folder.joinpath)
    assert [dataset.file(index) for index in range(2)] == [folder / "red.png", folder / "blue.jpg"]


def test_count_takes_the_first_and_locates_no_others(folder: Path, items: list[dict[str, Any]]) -> None:
    asked: list[str] = []

    def locate(uri: str) -> Path:
        asked.append(uri)
        return folder / uri

    assert len(open_images({"items": items}, 1, locate)) == 1
    assert asked == ["red.png"]
    assert len(open_images({"items": items}, 50, locate)) == 2


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"label": 1}, r"items\[1\] has no 'file'"),
        ({"file": "red.png"}, r"items\[1\] has no 'label'"),
        ({"file": "red.png", "label": "cat"}, r"items\[1\] \(red.png\): label is 'cat'"),
        ({"file": "red.png", "label": True}, r"label is True"),
        ({"file": "", "label": 1}, r"items\[1\]: file is ''"),
        ({"file": 3, "label": 1}, r"items\[1\]: file is 3"),
        ({"file": "red.png", "lable": 1}, r"no key 'lable'\nDid you mean 'label'"),
        ("red.png", r"items\[1\] is 'red.png'"),
    ],
)
def test_a_wrong_item_is_named(folder: Path, items: list[dict[str, Any]], item: object, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        open_images({"items": [items[0], item]}, None, folder.joinpath)
    assert caught.value.remedy


@pytest.mark.parametrize("options", [{}, {"items": "red.png"}, {"items": [], "x": 1}])
def test_wrong_options_are_refused(options: dict[str, Any], locate: Callable[[str], Path]) -> None:
    with pytest.raises(UserError, match="data-set kind 'images'"):
        open_images(options, None, locate)


def test_no_items_are_refused(folder: Path, items: list[dict[str, Any]]) -> None:
    for options, count in (({"items": []}, None), ({"items": items}, 0)):
        with pytest.raises(UserError, match="nothing to use"):
            open_images(options, count, folder.joinpath)


@pytest.mark.parametrize("content", [None, b"", b"no image at all"])
def test_check_names_the_unreadable_file_and_a_remedy(
    folder: Path, items: list[dict[str, Any]], content: bytes | None
) -> None:
    broken = folder / "blue.jpg"
    broken.unlink()
    if content is not None:
        broken.write_bytes(content)
    dataset = open_images({"items": items}, None, folder.joinpath)
    with pytest.raises(UserError, match=r"image 'blue\.jpg' cannot be read") as caught:
        dataset.check()
    assert "take the item out" in caught.value.remedy


def test_a_file_that_vanishes_is_named(folder: Path, items: list[dict[str, Any]]) -> None:
    dataset = open_images({"items": items}, None, folder.joinpath)
    (folder / "red.png").unlink()
    with pytest.raises(UserError, match=r"image 'red\.png' cannot be read"):
        dataset.sample(0)
