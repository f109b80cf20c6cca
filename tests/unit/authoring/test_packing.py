"""Manifests in a package: what they name comes along, and the rest of their text stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.authoring.packing import pack
from mlharness.errors import UserError
from mlharness.plugins import build_manager

MODEL = """\
# by hand
kind: model
name: mine
version: "1"
framework: {name: onnxruntime}
model:
  files:
    - {source: nets/mine.onnx}  # the network
    - "pkg://other/file"
dataset: ./numbers.yaml
"""
DATA = """\
kind: dataset
name: numbers
version: "1"
provider: table
options: {file: 'numbers.csv', shape: [2]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "mine.onnx").write_bytes(b"onnx")
    (tmp_path / "mine.yaml").write_text(MODEL)
    (tmp_path / "numbers.yaml").write_text(DATA)
    (tmp_path / "numbers.csv").write_text("1,2,3\n")
    return tmp_path


def packed(*manifests: Path) -> dict[str, str | Path]:
    return pack("my-nets", manifests, build_manager().catalog)


def test_everything_comes_along(folder: Path) -> None:
    content = packed(folder / "mine.yaml")
    root = "src/mlharness_my_nets"
    assert content[f"{root}/files/mine.onnx"] == folder / "nets" / "mine.onnx"
    assert content[f"{root}/files/numbers.csv"] == folder / "numbers.csv"
    changed = MODEL.replace("nets/mine.onnx", "pkg://mlharness_my_nets/files/mine.onnx")
    assert content[f"{root}/manifests/models/mine.yaml"] == changed.replace("./numbers.yaml", "numbers")
    changed = DATA.replace("numbers.csv", "pkg://mlharness_my_nets/files/numbers.csv")
    assert content[f"{root}/manifests/datasets/numbers.yaml"] == changed


def test_the_project_needs_the_plugins(folder: Path) -> None:
    project = str(packed(folder / "mine.yaml")["pyproject.toml"])
    assert '"mlharness-onnxruntime"]' in project
    assert "builtin" not in project
    assert 'MODELS = ("mine",)' in str(packed(folder / "mine.yaml")["tests/test_models.py"])


def test_a_manifest_that_stands_there_twice_is_one(folder: Path) -> None:
    assert packed(folder / "mine.yaml", folder / "numbers.yaml") == packed(folder / "mine.yaml")


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "nets" / "mine.onnx").unlink()
    with pytest.raises(UserError, match=r"names nets/mine\.onnx"):
        packed(folder / "mine.yaml")


def test_two_files_of_one_name(folder: Path) -> None:
    (folder / "mine.onnx").write_bytes(b"other")
    (folder / "mine.yaml").write_text(MODEL.replace('"pkg://other/file"', "mine.onnx"))
    with pytest.raises(UserError, match=r"two files are called mine\.onnx"):
        packed(folder / "mine.yaml")


def test_data_alone_is_no_model(folder: Path) -> None:
    with pytest.raises(UserError, match="no model among"):
        packed(folder / "numbers.yaml")


def test_a_broken_manifest_is_told(folder: Path) -> None:
    (folder / "mine.yaml").write_text(MODEL.replace("name: mine", "nam: mine"))
    with pytest.raises(UserError, match=r"mine\.yaml:2: name: missing"):
        packed(folder / "mine.yaml")


def test_a_source_that_cannot_be_replaced(folder: Path) -> None:
    (folder / "mine.yaml").write_text(MODEL.replace("nets/mine.onnx", '"nets/m\\x69ne.onnx"'))
    with pytest.raises(UserError, match="cannot be replaced"):
        packed(folder / "mine.yaml")
