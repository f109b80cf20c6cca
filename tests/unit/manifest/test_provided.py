"""What a manifest asks of plugins, held against plugins whose functions may not be called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import ManifestError, PluginError
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.provided import UnknownName, check_file, check_run
from mlharness.manifest.reading import read_manifest
from mlharness.providers import Option, SourceProvider, StepFunction
from mlharness.registrars import (
    Catalog,
    DataSetRegistrar,
    FrameworkRegistrar,
    ManifestRegistrar,
    MetricRegistrar,
    SourceRegistrar,
    StepRegistrar,
)

MODEL = """\
kind: model
name: m
version: "1"
framework:
  name: frame
  options: {level: 2}
model:
  files:
    - m.onnx
    - {source: "web://a/more.onnx", sha256: "%s"}
dataset: rows
preprocess:
  - image.resize: {size: 8}
  - python: |
      def preprocess(ctx, data):
          return data
postprocess:
  - image.same
metric:
  name: top1
  options: {k: 1}
frameworks:
  other:
    options: {level: 3}
    preprocess: [image.same]
""" % ("0" * 64)
DATASET = 'kind: dataset\nname: rows\nversion: "1"\nprovider: table\noptions: {file: rows.csv, mode: fast}\n'


def never(*args: Any, **kwargs: Any) -> Any:
    """Must not be called."""
    raise AssertionError("checking executes nothing")


def make(size: int) -> StepFunction:
    """Resize."""
    raise AssertionError("checking executes nothing")


@pytest.fixture
def library(tmp_path: Path) -> ManifestLibrary:
    catalog, level = Catalog(), Option("level", "integer", "How far.", default=1)
    frameworks = FrameworkRegistrar(catalog, "p")
    frameworks.framework("frame", load=never, version=never, options=(level,), aliases=("Frame Work",))
    frameworks.framework("other", load=never, version=never, options=(level,))
    steps = StepRegistrar(catalog, "p")
    steps.step("image.resize", make, parameters=(Option("size", "integer", "Pixels.", required=True),))
    steps.step("image.same", never)
    metrics = MetricRegistrar(catalog, "p")
    metrics.metric("top1", score=never, response=never, options=(Option("k", "integer", "How many."),))
    file = Option("file", "string", "The table.", required=True)
    mode = Option("mode", "string", "How.", default="fast", choices=("fast", "slow"))
    DataSetRegistrar(catalog, "p").dataset("table", open=never, options=(file, mode))
    sources = SourceRegistrar(catalog, "p")
    sources.source(SourceProvider("file", never))
    sources.source(SourceProvider("web", never, never, digest_required=True))
    sources.source(SourceProvider("http", never, digest_required=True, fetch_over_http=never))
    (tmp_path / "shipped" / "datasets").mkdir(parents=True)
    (tmp_path / "shipped" / "datasets" / "rows.yaml").write_text(DATASET)
    ManifestRegistrar(catalog, "p").folder(tmp_path / "shipped")
    return ManifestLibrary(catalog)


def problems(library: ManifestLibrary, path: Path, text: str) -> list[str]:
    path.write_text(text)
    return [str(problem).removeprefix(f"{path}:") for problem in check_file(path, library)]


@pytest.mark.parametrize(
    "text",
    [
        MODEL, DATASET, MODEL.replace("name: frame", "name: Frame-Work"),
        MODEL.replace("web://", "http://"),  # which the user may allow
    ],
)  # fmt: skip
def test_what_is_provided(library: ManifestLibrary, tmp_path: Path, text: str) -> None:
    assert problems(library, tmp_path / "m.yaml", text) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: frame", "name: fram", "5: framework.name: no framework is named 'fram' (allowed: frame, other); "
         "did you mean 'frame'?"),
        ("- m.onnx", "- {source: web://a, md5: %s}" % ("a" * 32), "9: model.files[0]: web://a has an md5 only. "
         "Add the file's sha256: web:// needs it."),
        ("level: 2", "levle: 2", "6: framework.options.levle: framework 'frame' has no such option (allowed: level); "
         "did you mean 'level'?"),
        ("level: 2", "level: high", "6: framework.options.level: 'high' (allowed: integer)"),
        ("- m.onnx", "- http://a", "9: model.files[0]: http://a has no sha256. "
         "Add the file's sha256: http:// needs it."),
        ("- m.onnx", "- wbe://a", "9: model.files[0]: wbe://a: no source is named 'wbe' (allowed: file, http, web); "
         "did you mean 'web'?"),
        ("- m.onnx", "- web://a", "9: model.files[0]: web://a has no sha256. Add the file's sha256: web:// needs it."),
        ("- m.onnx", '- "m\\0.onnx"', "9: model.files[0]: 'm\\x00.onnx' holds a NUL character. "
         "Correct the path in the manifest."),
        ("dataset: rows", "dataset: row", "11: dataset: no data set is named 'row' (allowed: rows); "
         "did you mean 'rows'?"),
        ("image.resize", "image.risize", "13: preprocess[0].image.risize: no step is named 'image.risize' "
         "(allowed: image.resize, image.same); did you mean 'image.resize'?"),
        ("image.resize: {size: 8}", "image.resize", "13: preprocess[0].size: missing: step 'image.resize' needs it "
         "(allowed: integer)"),
        ("size: 8", "size: 8, sice: 3", "13: preprocess[0].image.resize.sice: step 'image.resize' has no such option "
         "(allowed: size); did you mean 'size'?"),
        ("- image.same", "- image.same: {a: 1}", "18: postprocess[0].image.same.a: step 'image.same' has no such "
         "option (allowed: none)"),
        ("name: top1", "name: top2", "20: metric.name: no metric is named 'top2' (allowed: top1); "
         "did you mean 'top1'?"),
        ("k: 1", "k: x", "21: metric.options.k: 'x' (allowed: integer)"),
        ("  other:", "  othre:", "23: frameworks.othre: no framework is named 'othre' (allowed: frame, other); "
         "did you mean 'other'?"),
        ("level: 3", "level: x", "24: frameworks.other.options.level: 'x' (allowed: integer)"),
        ("[image.same]", "[image.sane]", "25: frameworks.other.preprocess[0]: no step is named 'image.sane' "
         "(allowed: image.resize, image.same); did you mean 'image.same'?"),
    ],
)  # fmt: skip
def test_what_a_model_cannot_have(library: ManifestLibrary, tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in MODEL
    assert problems(library, tmp_path / "m.yaml", MODEL.replace(old, new)) == [told]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("table", "tabel", "4: provider: no data-set kind is named 'tabel' (allowed: table); did you mean 'table'?"),
        ("file: rows.csv, ", "", "5: options.file: missing: data-set kind 'table' needs it (allowed: string)"),
        ("mode: fast", "mode: fats", "5: options.mode: 'fats' (allowed: fast, slow); did you mean 'fast'?"),
        ("mode: fast", "mod: 1", "5: options.mod: data-set kind 'table' has no such option (allowed: file, mode); "
         "did you mean 'mode'?"),
    ],
)  # fmt: skip
def test_what_a_data_set_cannot_have(library: ManifestLibrary, tmp_path: Path, old: str, new: str, told: str) -> None:
    assert problems(library, tmp_path / "d.yaml", DATASET.replace(old, new)) == [told]


def test_a_data_set_by_its_path(library: ManifestLibrary, tmp_path: Path) -> None:
    text = MODEL.replace("dataset: rows", "dataset: ./d.yaml")
    assert problems(library, tmp_path / "m.yaml", text) == [f"11: dataset: there is no file {tmp_path / 'd.yaml'}"]
    (tmp_path / "d.yaml").write_text("no manifest: what is wrong there is told of there")
    assert problems(library, tmp_path / "m.yaml", text) == []


def test_the_schemas_problems_hide_none_of_these(library: ManifestLibrary, tmp_path: Path) -> None:
    text = MODEL.replace("version:", "versoin:").replace("top1", "top2").replace("- image.same", "- 3")
    found = problems(library, tmp_path / "m.yaml", text)
    assert [line.partition(": ")[2].partition(":")[0] for line in found] == [
        "version", "versoin", "postprocess[0]", "metric.name",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "kind: model\nframework: 3\nmodel: []\ndataset: []\npreprocess: x\nmetric: top1\nframeworks: {a: 3}\n",
        "kind: model\nframework: {name: 3, options: x}\nmodel: {files: x}\npreprocess: [3, {}]\nmetric: {name: []}\n",
        "kind: model\nmodel: {files: [3, {source: 4}, {sha256: x}, '']}\npreprocess: [{image.resize: 3}]\n",
        "kind: dataset\nprovider: []\noptions: x\n",
        "kind: dataset\nprovider: table\noptions: []\n",
        "kind: 3\nprovider: nothing\n",
    ],
)
def test_what_has_the_wrong_type_is_the_schemas(library: ManifestLibrary, tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    assert not [problem for problem in check_file(path, library) if isinstance(problem, UnknownName)]


def test_two_plugins_with_one_name(library: ManifestLibrary, tmp_path: Path) -> None:
    StepRegistrar(library.catalog, "q").step("image.same", never)
    text = MODEL.replace("[image.same]", "[]")
    assert problems(library, tmp_path / "m.yaml", text) == [
        "18: postprocess[0]: step 'image.same' is provided by p and q, so neither is used. Block one of them: --block q"
    ]


class TestRun:
    """What a run would use of its two manifests."""

    @staticmethod
    def check(library: ManifestLibrary, folder: Path, model: str, dataset: str = DATASET, **chosen: Any) -> None:
        (folder / "m.yaml").write_text(model)
        (folder / "d.yaml").write_text(dataset)
        read, rows = read_manifest(folder / "m.yaml"), read_manifest(folder / "d.yaml")
        assert isinstance(read, ModelManifest)
        assert isinstance(rows, DataSetManifest)
        one = {part.framework.name: part for part in (read, *read.alternatives)}[chosen.pop("framework", "frame")]
        check_run(one, rows, library, **chosen)

    def test_both_files_at_once(self, library: ManifestLibrary, tmp_path: Path) -> None:
        with pytest.raises(ManifestError) as raised:
            self.check(library, tmp_path, MODEL.replace("size: 8", "size: x"), DATASET.replace("mode: fast", "mode: x"))
        assert raised.value.message.splitlines() == [
            f"{tmp_path / 'm.yaml'}:13: preprocess[0].image.resize.size: 'x' (allowed: integer)",
            f"{tmp_path / 'd.yaml'}:5: options.mode: 'x' (allowed: fast, slow)",
        ]
        assert raised.value.remedy == "Correct these 2 places."
        assert not isinstance(raised.value, PluginError)

    def test_a_plugin_that_did_not_load_may_have_the_name(self, library: ManifestLibrary, tmp_path: Path) -> None:
        with pytest.raises(PluginError, match="top2"):
            self.check(library, tmp_path, MODEL.replace("top1", "top2"))

    def test_only_what_the_run_uses_matters(self, library: ManifestLibrary, tmp_path: Path) -> None:
        broken = MODEL.replace("level: 2", "level: x").replace("image.resize", "image.risize")
        self.check(library, tmp_path, broken, framework="other")
        self.check(library, tmp_path, MODEL.replace("level: 3", "level: x"))
        with pytest.raises(ManifestError, match=r"24: frameworks\.other\.options\.level"):
            self.check(library, tmp_path, MODEL.replace("level: 3", "level: x"), framework="other")

    def test_what_the_user_chose_instead_does_not_matter(self, library: ManifestLibrary, tmp_path: Path) -> None:
        text = MODEL.replace("dataset: rows", "dataset: gone").replace("name: frame", "name: gone")
        (tmp_path / "m.yaml").write_text(text)
        self.check(library, tmp_path, text, framework="gone", skip=("dataset", "framework"))
