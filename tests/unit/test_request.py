"""Files are fetched by a runner that has what their source needs."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlharness import request as module
from mlharness.builtin import sources
from mlharness.choices import Choices
from mlharness.environments.choosing import Wish
from mlharness.errors import PluginError, UserError
from mlharness.manifest.documents import DataSetManifest, FrameworkWish, ModelFile, ModelManifest, Origin
from mlharness.plugins import Plugins, build_manager
from mlharness.providers import SourceProvider
from mlharness.registrars import FrameworkRegistrar, SourceRegistrar
from mlharness.request import Request
from tests.unit.environments.making import load, never
from tests.unit.runner.making import SHA

MODEL = ModelManifest(Origin(Path("m.yaml"), SHA), "m", "1.0", FrameworkWish("torch", ">=2"))
DATA = DataSetManifest(Origin(Path("d.yaml"), SHA), "d", "1.0", "null")


@pytest.fixture
def plugins() -> Plugins:
    """Two frameworks, a source for each, one for a framework that is not there, and one that needs none."""
    found = build_manager(entry_points=[])
    for name in ("torch", "keras"):
        FrameworkRegistrar(found.catalog, name).framework(name, load=load, version=never, requirement=name)
    for scheme, framework in (("zoo", "torch"), ("k", "keras"), ("plain", ""), ("lost", "mxnet")):
        source = SourceProvider(scheme, lambda uri, sha256: None, lambda uri, sha256, advance: Path(uri))
        SourceRegistrar(found.catalog, "s").source(replace(source, framework=framework))
    return found


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Wish]:
    """What environments were asked for; each is answered with the framework's name."""
    wishes: list[Wish] = []

    def choose(wish: Wish) -> str:
        wishes.append(wish)
        return f"python-{wish.framework.name}"

    monkeypatch.setattr(module, "choose_environment", choose)
    return wishes


def test_each_file_goes_to_an_environment_with_its_sources_framework(plugins: Plugins, asked: list[Wish]) -> None:
    wanted = Request(MODEL, DATA, Choices(framework="torch==2.2"), plugins, Path())
    files = [("zoo://a", None), ("plain://b", SHA), ("k://c", None), ("zoo://d", None)]
    assert wanted.fetchers(files, Path("/base")) == {
        "python-torch": [files[0], files[3]],
        sys.executable: [files[1]],
        "python-keras": [files[2]],
    }
    assert [(wish.framework.name, wish.version) for wish in asked] == [("torch", "==2.2"), ("keras", "")]


def test_the_manifests_range_is_that_of_its_framework(plugins: Plugins, asked: list[Wish]) -> None:
    Request(MODEL, DATA, Choices(), plugins, Path()).fetchers([("zoo://a", None)], Path("/base"))
    assert asked[0].version == ">=2"
    other = replace(MODEL, framework=FrameworkWish("keras", "==3"))
    Request(other, DATA, Choices(), plugins, Path()).fetchers([("zoo://a", None)], Path("/base"))
    assert asked[1].version == ""


def test_each_md5_is_doubted_once_with_the_sha256_of_what_it_is_for(tmp_path: Path) -> None:
    found = build_manager(entry_points=[])
    sources.mlh_register_sources(SourceRegistrar(found.catalog, "builtin-sources"))
    (tmp_path / "m.zip").write_bytes(b"weights")
    md5, sha256 = hashlib.md5(b"weights", usedforsecurity=False).hexdigest(), hashlib.sha256(b"weights").hexdigest()
    archive = [ModelFile("m.zip", md5=md5, member=member) for member in ("a", "b")]
    model = replace(MODEL, origin=Origin(tmp_path / "m.yaml", SHA), files=(*archive, ModelFile("m.zip", sha256)))
    wanted = Request(model, DATA, Choices(), found, Path())
    assert wanted.locate() == [tmp_path / "m.zip"] * 3
    assert wanted.warnings() == [f"m.zip: md5 can be forged; the file's sha256 is {sha256}, write that"]


def test_what_comes_over_plain_http_is_refused_with_its_place_or_doubted(tmp_path: Path) -> None:
    found = build_manager(entry_points=[])
    sources.mlh_register_sources(SourceRegistrar(found.catalog, "builtin-sources"))
    model = replace(MODEL, origin=Origin(tmp_path / "m.yaml", SHA), files=(ModelFile("HTTP://a/b", SHA),))
    wanted = Request(model, DATA, Choices(), found, Path())
    with pytest.raises(UserError, match=r"m\.yaml: model\.files\[0\]: HTTP://a/b: files are not fetched over plain"):
        wanted.locate()
    allowed = replace(wanted, choices=Choices(allow_http=True))
    assert allowed.locate() == [None]
    [said] = allowed.warnings()
    assert said.startswith("HTTP://a/b: anyone on the way can change")


def test_a_framework_that_nothing_provides(plugins: Plugins, asked: list[Wish]) -> None:
    with pytest.raises(PluginError, match="no framework is named 'mxnet'"):
        Request(MODEL, DATA, Choices(), plugins, Path()).fetchers([("lost://a", None)], Path("/base"))
