"""The data-set kind ``image-folder``; torchvision's order is held against it in test_torchvision.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlharness_vision.image_folder import open_folder
from PIL import Image

from mlharness.errors import UserError
from mlharness.providers import FileDataSet


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 2), "red").save(path)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Two classes of two and one pictures."""
    for name in ("dog/b.png", "dog/a.JPG", "cat/deep/c.png"):
        picture(tmp_path / name)
    return tmp_path


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Three pictures beside their labels."""
    for name in ("2.png", "0.png", "1.png"):
        picture(tmp_path / name)
    (tmp_path / "labels.txt").write_text("7\n5\n7\n", "ascii")
    return tmp_path


def content(dataset: FileDataSet, root: Path) -> list[tuple[str, int]]:
    dataset.check()
    return [(dataset.file(i).relative_to(root).as_posix(), dataset.label(i)) for i in range(len(dataset))]


def test_folders_are_classes_in_sorted_order(classes: Path) -> None:
    found = content(open_folder({"root": str(classes)}, None, Path), classes)
    assert found == [("cat/deep/c.png", 0), ("dog/a.JPG", 1), ("dog/b.png", 1)]


def test_classes_may_be_named_in_another_order(classes: Path) -> None:
    found = content(open_folder({"root": str(classes), "classes": ["dog", "cat"]}, 2, Path), classes)
    assert found == [("dog/a.JPG", 0), ("dog/b.png", 0)]


def test_only_files_of_the_extensions_count(classes: Path) -> None:
    (classes / "cat" / "notes.txt").write_text("no image", "ascii")
    found = content(open_folder({"root": str(classes), "extensions": [".PNG"]}, None, Path), classes)
    assert [name for name, _ in found] == ["cat/deep/c.png", "dog/b.png"]


def test_labels_are_those_of_the_sorted_names(beside: Path) -> None:
    found = content(open_folder({"root": str(beside), "labels": "labels.txt"}, None, Path), beside)
    assert found == [("0.png", 7), ("1.png", 5), ("2.png", 7)]


@pytest.mark.parametrize("lines", ["7\n5\n", "7\n5\n7\n8\n"])
def test_a_wrong_count_of_labels_is_refused(beside: Path, lines: str) -> None:
    (beside / "labels.txt").write_text(lines, "ascii")
    with pytest.raises(UserError, match=f"labels.txt has {len(lines.split())} labels, and .* 3 images"):
        open_folder({"root": str(beside), "labels": "labels.txt"}, None, Path)


def test_a_label_that_is_no_number_is_named_with_its_line(beside: Path) -> None:
    (beside / "labels.txt").write_text("7\nfive\n7\n", "ascii")
    with pytest.raises(UserError, match=r"labels.txt:2: the class 'five' is no whole number"):
        open_folder({"root": str(beside), "labels": "labels.txt"}, None, Path)


def test_labels_and_classes_exclude_each_other(beside: Path) -> None:
    with pytest.raises(UserError, match="both labels and classes"):
        open_folder({"root": str(beside), "labels": "labels.txt", "classes": ["a"]}, None, Path)


def test_a_class_without_a_folder_is_named(classes: Path) -> None:
    with pytest.raises(UserError, match=r"no folder 'dogs'\nDid you mean 'dog'"):
        open_folder({"root": str(classes), "classes": ["cat", "dogs"]}, None, Path)


def test_a_class_without_an_image_is_named(classes: Path) -> None:
    (classes / "bird").mkdir()
    with pytest.raises(UserError, match="bird has no image"):
        open_folder({"root": str(classes)}, None, Path)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "alone.png")
    with pytest.raises(UserError, match="has nothing to use"):
        open_folder({"root": str(tmp_path)}, None, Path)


@pytest.mark.parametrize("extensions", [[], [""], [3]])
def test_extensions_are_texts(classes: Path, extensions: list[object]) -> None:
    with pytest.raises(UserError, match="extensions is"):
        open_folder({"root": str(classes), "extensions": extensions}, None, Path)


def test_an_unreadable_image_is_named(classes: Path) -> None:
    (classes / "dog" / "b.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"image 'dog/b\.png' cannot be read"):
        open_folder({"root": str(classes)}, None, Path).check()


@pytest.mark.parametrize("name", ["nowhere", "dog/b.png"])
def test_what_is_no_folder_is_refused(classes: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"there is no folder .*{name}"):
        open_folder({"root": str(classes / name)}, None, Path)
