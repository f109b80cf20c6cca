"""Where the files of a licensed data set are looked for, and what is said when they are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.data_root import data_root
from mlharness.errors import UserError

NEEDED = ("val_map.txt", "val")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "val").mkdir()
    (tmp_path / "val_map.txt").touch()
    return tmp_path


def test_the_option_is_before_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", "/nowhere")
    assert data_root(str(folder), "ImageNet", NEEDED, "image-net.org") == folder
    monkeypatch.setenv("DATA_DIR", str(folder))
    assert data_root(None, "ImageNet", NEEDED, "image-net.org") == folder


def test_nothing_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_DIR", raising=False)
    with pytest.raises(UserError, match="ImageNet") as raised:
        data_root(None, "ImageNet", NEEDED, "image-net.org")
    assert "val_map.txt, val" in raised.value.remedy
    assert "DATA_DIR=DIR" in raised.value.remedy


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "val_map.txt").unlink()
    with pytest.raises(UserError, match=f"ImageNet: {folder} has no val_map.txt") as raised:
        data_root(str(folder), "ImageNet", NEEDED, "image-net.org")
    assert "image-net.org" in raised.value.remedy


def test_a_missing_folder_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match=f"ImageNet: there is no folder {folder / 'val2'}"):
        data_root(str(folder / "val2"), "ImageNet", NEEDED, "image-net.org")
    with pytest.raises(UserError, match="there is no folder"):
        data_root(str(folder / "val_map.txt"), "ImageNet", NEEDED, "image-net.org")


def test_a_data_set_may_know_no_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_root(str(folder), "pictures", (), "your own") == folder
    monkeypatch.delenv("DATA_DIR", raising=False)
    with pytest.raises(UserError, match="pictures") as raised:
        data_root(None, "pictures", (), "your own")
    assert raised.value.remedy.startswith("Put its files into one folder (your own)")
