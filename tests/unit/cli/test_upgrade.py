"""``mlh manifest upgrade``, and what ``mlh validate`` and ``mlh models show`` say of a published file."""

from __future__ import annotations

from pathlib import Path

from mlharness.manifest.reading import check_manifest
from tests.unit.cli.conftest import Mlh

PUBLISHED = """\
name: Tiny Net
version: 1.0
framework: {name: Onnxruntime, version: 1.7.1}
inputs: [{type: image, parameters: {element_type: float32, input_layer: 0, layout: CHW, dimensions: [3, 8, 8]}}]
model: {is_archive: false, graph_path: tiny.onnx}
preprocess: |
  def preprocess(ctx, data):
    return dataset[int(data)]
"""


def test_the_upgrade_is_printed(mlh: Mlh, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yml"
    path.write_text(PUBLISHED, "utf-8")
    ran = mlh("manifest", "upgrade", str(path))
    assert ran.code == 0
    assert ran.err.splitlines() == [
        f"warning: {path}:2: version: a number, read as the text '1.0'",
        f"warning: {path}:3: framework.version: an exact version is what the model was written for: "
        "any Onnxruntime will do",
    ]
    upgraded = tmp_path / "tiny.yaml"
    upgraded.write_text(ran.out, "utf-8")
    assert check_manifest(upgraded) == []
    assert "\nframework: {name: onnxruntime, written_for: 1.7.1}\n" in ran.out
    assert path.read_text("utf-8") == PUBLISHED


def test_the_upgrade_is_written(mlh: Mlh, tmp_path: Path) -> None:
    path, target = tmp_path / "tiny.yml", tmp_path / "new" / "tiny.yaml"
    path.write_text(PUBLISHED, "utf-8")
    assert mlh("manifest", "upgrade", str(path), "--output", str(target)).code == 2
    target.parent.mkdir()
    document = mlh("manifest", "upgrade", str(path), "--output", str(target), "--json").document
    assert (document["file"], document["output"]) == (str(path), str(target))
    assert document["manifest"]["name"] == "tiny-net"
    assert len(document["warnings"]) == 3
    assert "../tiny.onnx" in target.read_text("utf-8")
    again = mlh("manifest", "upgrade", str(path), "--output", str(target))
    assert (again.code, "--force" in again.err) == (2, True)
    assert mlh("manifest", "upgrade", str(path), "--output", str(target), "--force", "-q").err == ""
    assert "of our format already" in mlh("manifest", "upgrade", str(target)).err


def test_validating_warns_and_ends_with_0(mlh: Mlh, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yml"
    path.write_text(PUBLISHED.replace("Onnxruntime", "'null'"), "utf-8")
    ran = mlh("validate", str(path))
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines()[0] == (
        f"warning: {path}:1: the published MLHarness format: `mlh manifest upgrade` writes ours"
    )
    assert ran.err.splitlines()[-1] == "1 file: no problem, 3 warnings"
    [file] = mlh("validate", str(path), "--json").document["files"]
    assert [warning["line"] for warning in file["warnings"]] == [1, 2, 3]
    assert file["problems"] == []


def test_problems_name_the_published_keys(mlh: Mlh, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yml"
    path.write_text(PUBLISHED.replace("Onnxruntime", "'nul'"), "utf-8")
    ran = mlh("validate", str(path))
    assert ran.code == 2
    assert ran.out.startswith(f"{path}:3: framework.name: no framework is named 'nul'")


def test_a_published_file_is_shown_as_it_is_understood(mlh: Mlh, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yml"
    path.write_text(PUBLISHED, "utf-8")
    text = mlh("models", "show", str(path)).out
    assert "name: tiny-net\n" in text
    assert "  written_for: 1.7.1\n" in text
