"""Registrars refuse on the spot; shelves find by name and alias, and forget completely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import PluginError
from mlharness.providers import Option, Predictor, ResponseSpec, Score, SourceProvider, StepFunction
from mlharness.registrars import (
    Catalog,
    DataSetRegistrar,
    FrameworkRegistrar,
    ManifestRegistrar,
    MetricRegistrar,
    SourceRegistrar,
    StepRegistrar,
    TracerRegistrar,
)


def load(model: Any, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    raise NotImplementedError("nothing is loaded here")


def version() -> str:
    return "1.0"


def make() -> StepFunction:
    """Hand on the arrays."""
    return lambda arrays, context: arrays


def score(responses: Any, label: Any, options: Any) -> Score:
    """Count what is right."""
    return Score(1.0, "%", 1, None)


def response(options: Mapping[str, Any]) -> ResponseSpec:
    return ResponseSpec("int64", (1,))


def open_nothing(options: Any, count: Any, locate: Any) -> Any:
    raise NotImplementedError("nothing is opened here")


def open_tracer(request: Any) -> Any:
    raise NotImplementedError("nothing is opened here")


def fill(catalog: Catalog, plugin: str, folder: Path) -> None:
    FrameworkRegistrar(catalog, plugin).framework("frame", load=load, version=version, aliases=["Frame Work"])
    DataSetRegistrar(catalog, plugin).dataset("files", open=open_nothing)
    StepRegistrar(catalog, plugin).step("image.same", make)
    MetricRegistrar(catalog, plugin).metric("top1", score=score, response=response)
    SourceRegistrar(catalog, plugin).source(SourceProvider("ftp", lambda uri, sha256: None))
    TracerRegistrar(catalog, plugin).tracer("frame-profile", level="framework", open=open_tracer, doc="Reads nothing.")
    ManifestRegistrar(catalog, plugin).folder(folder)


def test_drop_leaves_nothing_of_one_plugin_and_all_of_the_other(tmp_path: Path) -> None:
    catalog = Catalog()
    fill(catalog, "one", tmp_path)
    fill(catalog, "two", tmp_path)
    catalog.drop("one")
    assert [[entry.plugin for entry in shelf] for shelf in catalog.shelves()] == [["two"]] * 7
    catalog.drop("two")
    assert [len(list(shelf)) for shelf in catalog.shelves()] == [0] * 7
    with pytest.raises(PluginError, match="no framework is named 'framework'"):
        catalog.frameworks.find("framework")


def test_absorb_takes_everything(tmp_path: Path) -> None:
    catalog, other = Catalog(), Catalog()
    fill(other, "one", tmp_path)
    catalog.absorb(other)
    assert [shelf.names() for shelf in catalog.shelves()] == [
        ["frame"], ["files"], ["image.same"], ["top1"], ["ftp"], ["one"], ["frame-profile"],
    ]  # fmt: skip


@pytest.mark.parametrize("spelling", ["frame", "Frame", "FRAME WORK", "frame_work", "frame-work"])
def test_names_and_aliases_are_found_however_they_are_spelt(tmp_path: Path, spelling: str) -> None:
    catalog = Catalog()
    fill(catalog, "one", tmp_path)
    assert catalog.frameworks.find(spelling).name == "frame"


def test_an_alias_cannot_take_anothers_name(tmp_path: Path) -> None:
    catalog = Catalog()
    fill(catalog, "one", tmp_path)
    FrameworkRegistrar(catalog, "thief").framework("other", load=load, version=version, aliases=["frame"])
    with pytest.raises(PluginError, match="provided by one and thief, so neither is used"):
        catalog.frameworks.find("frame")
    assert catalog.frameworks.find("other").plugin == "thief"


def test_a_misspelt_name_is_answered_with_the_likely_one(tmp_path: Path) -> None:
    catalog = Catalog()
    fill(catalog, "one", tmp_path)
    with pytest.raises(PluginError, match=r"Did you mean 'image.same'\?"):
        catalog.steps.find("image.sane")


def undocumented() -> StepFunction:
    return make()


REFUSED: dict[str, tuple[str, Callable[[Catalog], None]]] = {
    "name": ("not usable", lambda c: StepRegistrar(c, "p").step("Image Same", make)),
    "docstring": ("no docstring", lambda c: StepRegistrar(c, "p").step("same", undocumented)),
    "make": ("make is int", lambda c: StepRegistrar(c, "p").step("same", 3)),  # type: ignore[arg-type]  # the mistake under test
    "threads": (
        "threads='cores' is not one of its options",
        lambda c: FrameworkRegistrar(c, "p").framework("frame", load=load, version=version, threads="cores"),
    ),
    "twice": (
        "declares the option 'n' twice",
        lambda c: DataSetRegistrar(c, "p").dataset("d", open=open_nothing, options=[Option("n", "integer", "n")] * 2),
    ),
    "folder": ("is not there", lambda c: ManifestRegistrar(c, "p").folder(Path("no/such/folder"))),
    "level": (
        r"'librari' is no level",
        lambda c: TracerRegistrar(c, "p").tracer("t", level="librari", open=open_tracer, doc="Reads nothing."),
    ),
    "doc": ("has no doc", lambda c: TracerRegistrar(c, "p").tracer("t", level="library", open=open_tracer, doc=" ")),
    "locate": (
        "locate is str",
        lambda c: SourceRegistrar(c, "p").source(SourceProvider("s", "here")),  # type: ignore[arg-type]  # the mistake under test
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_mistake_is_refused_at_registration(mistake: str) -> None:
    message, register = REFUSED[mistake]
    catalog = Catalog()
    with pytest.raises(PluginError, match=message):
        register(catalog)
    assert [len(list(shelf)) for shelf in catalog.shelves()] == [0] * 7
