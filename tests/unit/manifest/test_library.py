"""Shipped manifests by name, others by path."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.builtin import manifests as builtin_manifests
from mlharness.errors import ManifestError, UserError
from mlharness.manifest import library as library_module
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.located import Located
from mlharness.manifest.reading import make_manifest
from mlharness.registrars import Catalog, ManifestRegistrar


def model_text(name: str, version: str = "1") -> str:
    return f'kind: model\nname: {name}\nversion: "{version}"\ndescription: About {name}.\nframework: {{name: f}}\n'


def dataset_text(name: str) -> str:
    return f'kind: dataset\nname: {name}\nversion: "1"\nprovider: p\n'


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Plugin ``one`` ships models b and a and a data set; ``two`` ships models c and a broken one."""
    files = {
        "one/models/b.yaml": model_text("b"),
        "one/models/other-file.yaml": model_text("a", "2"),
        "one/models/notes.txt": "no manifest",
        "one/datasets/d.yaml": dataset_text("d"),
        "two/models/c.yaml": model_text("c"),
        "two/models/broken.yaml": "kind: model\nname: half-done\n",
        "two/models/unreadable.yaml": "a: [",
    }
    catalog = Catalog()
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for plugin in ("one", "two"):
        ManifestRegistrar(catalog, plugin).folder(tmp_path / plugin)
    return catalog


def test_listings_are_by_name_and_hold_what_is_broken(catalog: Catalog, tmp_path: Path) -> None:
    listings = ManifestLibrary(catalog).models()
    assert [(entry.name, entry.version, entry.plugin) for entry in listings] == [
        ("a", "2", "one"),
        ("b", "1", "one"),
        ("c", "1", "two"),
        ("half-done", "", "two"),
        ("unreadable", "", "two"),
    ]
    assert listings[0].description == "About a."
    assert listings[0].path == tmp_path / "one/models/other-file.yaml"
    assert [bool(entry.error) for entry in listings] == [False, False, False, True, True]
    assert "version: missing" in listings[3].error
    assert "not valid YAML" in listings[4].error
    assert [entry.name for entry in ManifestLibrary(catalog).datasets()] == ["d"]


def test_a_shipped_manifest_belongs_to_its_plugin_by_name_and_by_path(catalog: Catalog, tmp_path: Path) -> None:
    library = ManifestLibrary(catalog)
    assert library.model("a").origin.plugin == "one"
    assert library.dataset("d").origin.plugin == "one"
    assert library.model(str(tmp_path / "one/models/../models/b.yaml")).origin.plugin == "one"


def test_a_path_is_a_users_own(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.yaml").write_text(model_text("mine"), "utf-8")
    (tmp_path / "plain").write_text(dataset_text("mine"), "utf-8")
    library = ManifestLibrary(catalog)
    assert (library.model("b.yaml").name, library.model("b.yaml").origin.plugin) == ("mine", None)
    assert library.dataset("./plain").name == "mine"
    with pytest.raises(ManifestError, match="there is no file"):
        library.model("none.yml")


def test_an_unknown_name(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="no model is named 'half-doen'") as raised:
        ManifestLibrary(catalog).model("half-doen")
    assert "Did you mean 'half-done'?" in raised.value.remedy
    with pytest.raises(UserError, match="no data set is named 'a'"):
        ManifestLibrary(catalog).dataset("a")


def test_a_broken_manifest_says_so_when_it_is_asked_for(catalog: Catalog) -> None:
    library = ManifestLibrary(catalog)
    with pytest.raises(ManifestError, match="version: missing"):
        library.model("half-done")
    with pytest.raises(ManifestError, match="not valid YAML"):
        library.model("unreadable")


def test_one_name_in_two_plugins(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "two/models/twin.yaml").write_text(model_text("b"), "utf-8")
    library = ManifestLibrary(catalog)
    with pytest.raises(UserError, match=r"model 'b' is shipped by one \(b.yaml\) and by two \(twin.yaml\)") as raised:
        library.model("b")
    assert "--block two" in raised.value.remedy
    assert [entry.plugin for entry in library.models() if entry.name == "b"] == ["one", "two"]


def test_one_name_twice_in_one_plugin_is_not_mended_by_blocking(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "one/models/twin.yaml").write_text(model_text("b"), "utf-8")
    with pytest.raises(UserError, match="is shipped by one") as raised:
        ManifestLibrary(catalog).model("b")
    assert "--block" not in raised.value.remedy
    assert str(tmp_path / "one/models/b.yaml") in raised.value.remedy


def test_the_other_kind(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"\.yaml:1: kind: dataset, and the manifest of a model is wanted"):
        ManifestLibrary(catalog).model(str(tmp_path / "one/datasets/d.yaml"))
    (tmp_path / "two/models/odd.yaml").write_text(dataset_text("odd"), "utf-8")
    [odd] = [entry for entry in ManifestLibrary(catalog).models() if entry.name == "odd"]
    assert "the manifest of a model is wanted" in odd.error


def test_a_name_is_found_without_checking_every_file(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def note(located: Located, plugin: str | None, member: str | None) -> ModelManifest | DataSetManifest:
        checked.append(located.path.name)
        return make_manifest(located, plugin, member)

    monkeypatch.setattr(library_module, "make_manifest", note)
    library = ManifestLibrary(catalog)
    assert checked == []
    library.model("c")
    assert checked == ["c.yaml"]


def test_what_mlharness_ships() -> None:
    catalog = Catalog()
    builtin_manifests.mlh_register_manifests(ManifestRegistrar(catalog, "builtin-manifests"))
    library = ManifestLibrary(catalog)
    model = library.model("null")
    assert (model.framework.name, model.dataset, model.files, model.weights) == ("null", "null", (), "trained")
    assert model.bench.batch_size == 256
    dataset = library.dataset(model.dataset)
    assert (dataset.provider, dataset.options) == ("null", {"count": 1024, "shape": [16]})
