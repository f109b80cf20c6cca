"""One file for several frameworks, and for a family of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.errors import ManifestError, PluginError
from mlharness.manifest.documents import ModelManifest
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.located import read_located
from mlharness.manifest.provided import find_unprovided
from mlharness.manifest.reading import check_manifest, read_manifest
from mlharness.providers import Option
from mlharness.registrars import Catalog, FrameworkRegistrar, ManifestRegistrar
from mlharness.request import on_framework

FAMILY = """\
kind: model
name: nets
members: [net18, net34]
version: "1"
framework: {name: torch, version: ">=2"}
model: {weights: random, files: ["zoo://{member}?weights=none"]}
inputs: [{name: x, dtype: float32, shape: [batch, 3, 8, 8]}]
preprocess: [image.layout]
frameworks:
  keras:
    options: {xla: true}
    model: {weights: random, files: [{source: "keras://{member}"}]}
    inputs: [{name: x, dtype: float32, shape: [batch, 8, 8, 3]}]
    preprocess:
      - image.keep
      - python: |
          def preprocess(ctx, data):
              return data
  mxnet:
"""


@pytest.fixture
def family(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "nets.yaml"
    path.parent.mkdir()
    path.write_text(FAMILY, "utf-8")
    return path


def read(path: Path, member: str) -> ModelManifest:
    found = read_manifest(path, "p", member)
    assert isinstance(found, ModelManifest)
    return found


def test_a_member_has_its_name_and_its_files(family: Path) -> None:
    found = read(family, "net34")
    assert (found.name, found.framework.name, found.framework.version) == ("net34", "torch", ">=2")
    assert [file.source for file in found.files] == ["zoo://net34?weights=none"]


def test_another_framework_has_what_it_overrides_and_the_rest_of_the_file(family: Path) -> None:
    keras, mxnet = read(family, "net18").alternatives
    assert (keras.name, keras.framework.name, keras.framework.version) == ("net18", "keras", "")
    assert (keras.framework.options, keras.inputs[0].shape) == ({"xla": True}, (None, 8, 8, 3))
    assert [file.source for file in keras.files] == ["keras://net18"]
    assert [(step.name, step.line) for step in keras.preprocess] == [("image.keep", 15), ("python", 17)]
    assert keras.inline
    assert (mxnet.framework.name, mxnet.files, mxnet.inputs) == (
        "mxnet", read(family, "net18").files, read(family, "net18").inputs,
    )  # fmt: skip


def test_where_a_key_stands(family: Path) -> None:
    found = read(family, "net18")
    keras, mxnet = found.alternatives
    assert found.key("model", "files", 0) == ("model", "files", 0)
    assert keras.key("model", "files", 0) == ("frameworks", "keras", "model", "files", 0)
    assert mxnet.key("model", "files", 0) == ("model", "files", 0)
    assert keras.key("framework", "options") == ("frameworks", "keras", "options")
    assert keras.key("framework", "name") == ("frameworks", "keras")
    assert mxnet.key("framework", "version") == ("frameworks", "mxnet")


@pytest.mark.parametrize(("member", "message"), [(None, "holds the models net18, net34"), ("net3", "no member 'net3'")])
def test_a_family_is_asked_for_by_member(family: Path, member: str | None, message: str) -> None:
    with pytest.raises(ManifestError, match=message) as raised:
        read_manifest(family, "p", member)
    assert "net18" in raised.value.remedy or "net34" in raised.value.remedy


def test_a_single_model_has_no_members(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text('kind: model\nname: m\nversion: "1"\nframework: {name: f}\n', "utf-8")
    with pytest.raises(ManifestError, match="no member 'x'"):
        read_manifest(path, None, "x")


def test_the_library_lists_and_finds_members(family: Path) -> None:
    catalog = Catalog()
    ManifestRegistrar(catalog, "p").folder(family.parent.parent)
    library = ManifestLibrary(catalog)
    assert [(entry.name, entry.error) for entry in library.models()] == [("net18", ""), ("net34", "")]
    assert library.model("net34").name == "net34"
    assert library.model(f"{family}#net18").origin.plugin == "p"
    with pytest.raises(ManifestError, match="holds the models"):
        library.model(str(family))


def test_the_wished_framework_chooses_by_any_of_its_names(family: Path) -> None:
    catalog = Catalog()
    registrar = FrameworkRegistrar(catalog, "p")
    for name, aliases in (("torch", ("PyTorch",)), ("keras", ("Tensor Flow",)), ("other", ())):
        registrar.framework(name, load=print, version=str, aliases=aliases, options=[Option("xla", "boolean", "X.")])  # type: ignore[arg-type]  # never loaded
    found = read(family, "net18")
    assert on_framework(found, None, catalog) is found
    assert on_framework(found, "pytorch>=1", catalog) is found
    assert on_framework(found, "TensorFlow==2", catalog).framework.name == "keras"
    assert on_framework(found, "other", catalog) is found
    with pytest.raises(PluginError, match="no framework is named 'kears'"):
        on_framework(found, "kears", catalog)


def test_what_is_wrong_inside_an_alternative_is_told_there(family: Path) -> None:
    text = FAMILY.replace("mxnet:\n", "mxnet:\n    version: '2'\n    inputs: [{name: y, dtype: float32, shape: [1]}, "
                          "{name: y, dtype: float32, shape: [1]}]\n    postproces: []\n")  # fmt: skip
    family.write_text(text.replace("def preprocess", "def other"), "utf-8")
    found = [(problem.line, problem.key, problem.suggestion) for problem in check_manifest(family)]
    assert found == [
        (17, "frameworks.keras.preprocess[1].python", ""),
        (20, "frameworks.mxnet.version", "==2"),
        (21, "frameworks.mxnet.inputs[1].name", ""),
        (22, "frameworks.mxnet.postproces", "postprocess"),
    ]


def problems_of(text: str, path: Path) -> list[str]:
    """What plugins lack for a file, where ``torch`` and ``keras`` are provided and nothing else is."""
    catalog = Catalog()
    for name in ("torch", "keras"):
        options = [Option("xla", "boolean", "X.")]
        FrameworkRegistrar(catalog, "p").framework(name, load=print, version=str, options=options)  # type: ignore[arg-type]  # never loaded
    path.write_text(text, "utf-8")
    return [problem.key for problem in find_unprovided(read_located(path), ManifestLibrary(catalog))]


def test_an_alternative_whose_framework_is_not_installed_is_nothing_wrong(family: Path) -> None:
    found = problems_of(FAMILY, family)
    assert "frameworks.keras.model.files[0]" in found  # nobody provides keras://
    assert not [key for key in found if key.startswith("frameworks.mxnet")]


def test_a_misspelt_alternative_is(family: Path) -> None:
    assert "frameworks.kears" in problems_of(FAMILY.replace("  keras:", "  kears:"), family)
