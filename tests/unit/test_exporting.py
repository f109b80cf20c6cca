"""``mlh models export``: which file of which framework's variant is taken, what its source is asked, and the copy."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mlharness.errors import PluginError, UserError
from mlharness.exporting import Export, check_output, copy_to, export, export_request, with_query
from mlharness.plugins import Plugins, build_manager
from mlharness.providers import SourceProvider
from mlharness.registrars import FrameworkRegistrar, ManifestRegistrar, SourceRegistrar
from mlharness.resources import resource_folder
from mlharness.supervise import Watch
from tests.unit.cli.conftest import Mlh, mlh
from tests.unit.environments.making import load, never

__all__ = ["mlh"]

SOURCE = "zoo://net?weights=none&seed=3"
MANIFEST = """
kind: model
name: {name}
version: "1.0"
framework: {{name: engine}}
model: {{weights: random, files: ["{first}"]}}
frameworks:
  torch:
    model: {{weights: random, files: ["shop://list", "zoo://net?weights=none&seed=3"]}}
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """Two frameworks, a zoo that exports to ``onnx``, a shop that does not, and two models."""
    found = build_manager(allow=["builtin-null"])
    for name in ("engine", "torch"):
        FrameworkRegistrar(found.catalog, name).framework(name, load=load, version=never)
    made = tmp_path / "net.onnx"
    made.write_bytes(b"a graph")
    sources = SourceRegistrar(found.catalog, "zoos")
    sources.source(SourceProvider("zoo", lambda uri, sha256: made if "format=onnx" in uri else None, formats=("onnx",)))
    sources.source(SourceProvider("shop", lambda uri, sha256: None))
    models = tmp_path / "manifests" / "models"
    models.mkdir(parents=True)
    (models / "net.yaml").write_text(MANIFEST.format(name="net", first="shop://net"))
    (models / "plain.yaml").write_text(MANIFEST.format(name="plain", first="shop://net").split("frameworks")[0])
    ManifestRegistrar(found.catalog, "zoos").folder(models.parent)
    ManifestRegistrar(found.catalog, "builtin-manifests").folder(resource_folder("manifests"))
    monkeypatch.setattr("mlharness.cli.discovery.discover", lambda block=(): found)
    return found


def test_the_first_variant_with_a_file_of_a_zoo_is_taken(plugins: Plugins) -> None:
    request = export_request(Export("net"), plugins)
    assert request.model.framework.name == "torch"
    assert [file.source for file in request.model.files] == [f"{SOURCE}&format=onnx"]
    exported = export(request, "onnx", Watch())
    assert (exported.sha256, exported.bytes) == (hashlib.sha256(b"a graph").hexdigest(), 7)


@pytest.mark.parametrize(
    ("source", "weights", "asked"),
    [
        (SOURCE, None, f"{SOURCE}&format=onnx"),
        (SOURCE, "V2", "zoo://net?weights=V2&format=onnx"),
        (SOURCE, "none", f"{SOURCE}&format=onnx"),
        ("zoo://net?weights=V1&format=onnx", None, "zoo://net?weights=V1&format=onnx"),
        ("zoo://net?weights=V1&format=other", None, "zoo://net?weights=V1&format=onnx"),
        ("zoo://net", None, "zoo://net?format=onnx"),
    ],
)
def test_the_source_is_asked_for_the_format_and_the_weights(source: str, weights: str | None, asked: str) -> None:
    assert with_query(source, "onnx", weights) == asked


def test_a_checksum_holds_for_the_file_that_it_was_given_for(plugins: Plugins, tmp_path: Path) -> None:
    for source, kept in (("zoo://net?format=onnx", "1" * 64), ("zoo://net", None)):
        path = tmp_path / "own.yaml"
        path.write_text(
            MANIFEST.format(name="own", first="shop://net").replace(
                '["shop://net"]', f'[{{source: "{source}", sha256: "{"1" * 64}"}}]'
            )
        )
        (file,) = export_request(Export(str(path)), plugins).model.files
        assert file.sha256 == kept


def test_a_model_without_such_a_file_names_those_that_have_one(plugins: Plugins) -> None:
    with pytest.raises(UserError, match="plain has no file that can be had as onnx") as caught:
        export_request(Export("plain"), plugins)
    assert caught.value.remedy == "These can: net."


def test_another_framework_of_the_model_is_named(plugins: Plugins) -> None:
    with pytest.raises(UserError, match="net for engine has no file") as caught:
        export_request(Export("net", framework="engine"), plugins)
    assert caught.value.remedy == "Leave out --framework, or use --framework torch."


@pytest.mark.parametrize(
    ("wanted", "said", "remedy"),
    [
        (Export("nett"), "no model is named 'nett'", "Did you mean 'net'?"),
        (Export("net", "onx"), "exports models to 'onx'", "Did you mean 'onnx'?"),
        (Export("net", framework="torhc"), "no framework is named 'torhc'", "Did you mean 'torch'?"),
    ],
)
def test_misspelt_names(plugins: Plugins, wanted: Export, said: str, remedy: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        export_request(wanted, plugins)
    assert remedy in caught.value.remedy


def test_no_plugin_exports_anything() -> None:
    with pytest.raises(PluginError, match="nothing that is installed exports") as caught:
        export_request(Export("net"), build_manager(entry_points=[]))
    assert "pip install" in caught.value.remedy


def test_the_command_prints_path_and_checksum(mlh: Mlh, plugins: Plugins, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"a graph").hexdigest()
    assert mlh("models", "export", "net", "--to", "onnx").out == f"{tmp_path / 'net.onnx'}\nsha256 {sha256}\n"
    target = tmp_path / "copy.onnx"
    words = ("models", "export", "net", "--output", str(target), "--json")
    assert mlh(*words).document == {
        "model": "net", "format": "onnx", "source": f"{SOURCE}&format=onnx", "path": str(target), "sha256": sha256,
        "bytes": 7,
    }  # fmt: skip
    assert target.read_bytes() == b"a graph"
    target.write_bytes(b"mine")
    ran = mlh(*words)
    assert (ran.code, target.read_bytes()) == (2, b"mine")
    assert "--force" in ran.document["error"]["remedy"]
    assert mlh(*words, "--force").code == 0
    assert target.read_bytes() == b"a graph"
    assert mlh("models", "export", "plain").code == 2


def test_an_output_that_can_be_no_file(plugins: Plugins, tmp_path: Path) -> None:
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "none" / "a.onnx", "is not there")):
        with pytest.raises(UserError, match=said):
            check_output(path, force=True)
    exported = export(export_request(Export("net"), plugins), "onnx", Watch())
    with pytest.raises(UserError, match="cannot be written"):
        copy_to(exported, tmp_path / ("x" * 250))
    assert not list(tmp_path.glob(".x*"))
