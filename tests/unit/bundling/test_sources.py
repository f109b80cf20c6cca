"""Which files a run was made of, and where each comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlharness.bundling.sources import Source, files_in, find_sources, in_root, kind_of, spread
from mlharness.data_root import ROOT
from mlharness.errors import UserError
from mlharness.manifest.documents import DataSetManifest, FrameworkWish, ModelFile, ModelManifest, Origin
from mlharness.plan import PlannedStep
from mlharness.plugins import build_manager
from mlharness.providers import Option
from tests.unit.runner.making import a_metric, a_plan


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("a/b.onnx", "path"), ("../b.onnx", "path"), ("/a/b.onnx", "path"), ("file:///a/b", "path"),
        ("FILE:///a", "path"), ("pkg://a/b", "package"), ("https://a/b", "fetched"),
        ("torchvision://resnet18?weights=none", "fetched"),
    ],
)  # fmt: skip
def test_where_a_file_comes_from(source: str, kind: str) -> None:
    assert kind_of(source) == kind


@pytest.mark.parametrize(
    ("source", "beside"), [("b", True), ("../b", True), ("/a/b", False), ("file:///a/b", False), ("pkg://a/b", False)]
)
def test_only_paths_from_the_manifest_can_lie_beside_a_copy_of_it(source: str, beside: bool) -> None:
    assert Source("model", "weights", kind_of(source), source, Path("/x"), Path("/m")).beside is beside


def test_the_files_of_model_steps_metric_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("w.bin", "vocabulary.txt", "rows.csv"):
        (tmp_path / name).write_text(name)
    catalog = build_manager().catalog
    step = catalog.steps.find("tensor.scale")
    file = Option("file", "file", "A file.")
    other = Option("factor", "number", "A number.")
    found = replace(step, provider=replace(step.provider, parameters=(file, other)))
    monkeypatch.setattr(catalog.steps, "find", lambda name: found)
    metric = catalog.metrics.find("top1")
    scored = replace(metric, provider=replace(metric.provider, options=(file,)))
    monkeypatch.setattr(catalog.metrics, "find", lambda name: scored)
    origin = Origin(tmp_path / "m.yaml", "0" * 64)
    model = ModelManifest(origin, "m", "1", FrameworkWish("null"), files=(ModelFile("w.bin"), ModelFile("w.bin")))
    dataset = DataSetManifest(origin, "d", "1", "null")
    plan = a_plan(
        preprocess=(PlannedStep("s", "p", {"file": "vocabulary.txt", "factor": 2.0}),),
        metric=a_metric(options={"file": None}),
    )
    sources = find_sources(model, dataset, plan, ["rows.csv", "pkg://click/__init__.py"], catalog)
    assert [(one.of, one.use, one.kind, one.source) for one in sources] == [
        ("model", "weights", "path", "w.bin"),
        ("model", "step", "path", "vocabulary.txt"),
        ("dataset", "data", "path", "rows.csv"),
        ("dataset", "data", "package", "pkg://click/__init__.py"),
    ]
    packed = sources[0].packed()
    assert (packed.bytes, packed.inside) == (5, "")
    (tmp_path / "w.bin").unlink()
    with pytest.raises(UserError, match=r"there is no file w\.bin"):
        find_sources(model, dataset, plan, [], catalog)
    with pytest.raises(UserError, match=r"w\.bin cannot be read"):
        sources[0].packed()


def test_only_options_that_are_files_are_files() -> None:
    declared = (Option("a", "file", "A."), Option("b", "string", "B."), Option("c", "file", "C."))
    assert list(files_in(declared, {"a": "x", "b": "y", "c": None})) == ["x"]


def test_a_folder_is_all_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "f" / "g").mkdir(parents=True)
    for name in ("f/b", "f/g/a"):
        (tmp_path / name).write_text("1")
    folder = Source("dataset", "data", "path", "f/", tmp_path / "f", tmp_path)
    assert [one.source for one in spread(folder)] == ["f/b", "f/g/a"]
    assert spread(replace(folder, path=tmp_path / "f" / "b")) == [replace(folder, path=tmp_path / "f" / "b")]


def test_every_file_of_the_data_sets_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "1.jpg").write_text("1")
    (tmp_path / "labels.txt").write_text("2")

    def catalog(*options: Option) -> Any:
        provider = SimpleNamespace(options=options)
        return SimpleNamespace(datasets=SimpleNamespace(find=lambda name: SimpleNamespace(provider=provider)))

    plan = a_plan(host={"data_dir": str(tmp_path)})
    assert [(one.kind, one.source) for one in in_root(plan, catalog(ROOT))] == [
        ("root", "labels.txt"), ("root", "val/1.jpg")
    ]  # fmt: skip
    assert in_root(plan, catalog()) == [], "this data set knows no such folder"
    assert in_root(a_plan(), catalog(ROOT)) == []
    with pytest.raises(UserError, match="is gone"):
        in_root(a_plan(host={"data_dir": str(tmp_path / "gone")}), catalog(ROOT))
