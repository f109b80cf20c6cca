"""The manifests that plugins ship, by name, and any other by its path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from mlharness.errors import ManifestError, PluginError, UserError, did_you_mean
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.located import Located
from mlharness.manifest.place import place
from mlharness.manifest.published.upgrade import read_upgraded
from mlharness.manifest.reading import make_manifest, read_manifest
from mlharness.registrars import Catalog

Kind = Literal["model", "dataset"]
_FOLDERS: tuple[tuple[Kind, str], ...] = (("model", "models"), ("dataset", "datasets"))
_WORDS = {"model": "model", "dataset": "data set"}


@dataclass(frozen=True)
class Listing:
    """One shipped manifest, as lists show it; ``error`` says why it cannot be used, and is empty when it can."""

    name: str
    version: str
    plugin: str
    description: str
    path: Path
    error: str = ""


@dataclass(frozen=True)
class Shipped:
    """A file of a plugin's manifest folder. It is read when something of it is asked for, and once."""

    kind: Kind
    plugin: str
    path: Path

    @cached_property
    def located(self) -> Located | ManifestError:
        """The parsed file, or why it cannot be parsed."""
        try:
            return read_upgraded(self.path)
        except ManifestError as error:
            return error

    def text(self, key: str) -> str:
        """The text at a top-level key, whether or not the rest of the file is in order; empty when there is none."""
        value = self.located.data.get(key) if isinstance(self.located, Located) else None
        return value if isinstance(value, str) else ""

    @property
    def members(self) -> tuple[str, ...]:
        """The models of a family, as far as they can be read; none for any other file."""
        members = self.located.data.get("members") if isinstance(self.located, Located) else None
        return tuple(name for name in members if isinstance(name, str)) if isinstance(members, list) else ()

    @property
    def names(self) -> tuple[str, ...]:
        """What asks for it: its members, its name, or the file's while it has none that can be read."""
        return self.members or (self.text("name") or self.path.stem,)

    def read(self, name: str) -> ModelManifest | DataSetManifest:
        """The manifest of one of its names. Raises ManifestError when anything is wrong with it."""
        if isinstance(self.located, ManifestError):
            raise self.located
        return make_manifest(self.located, self.plugin, name if self.members else None)

    def listing(self, name: str) -> Listing:
        """How lists show one of its names; nothing that is wrong with it is raised."""
        error = ""
        try:
            expect(self.read(name), self.kind)
        except ManifestError as broken:
            error = broken.message
        return Listing(name, self.text("version"), self.plugin, self.text("description"), self.path, error)


@dataclass(frozen=True)
class ManifestLibrary:
    """Finds manifests.

    Folders are listed when something is asked for; to find a name, files are parsed but not held against their schema.
    """

    catalog: Catalog
    _shipped: dict[Kind, tuple[Shipped, ...]] = field(default_factory=dict, repr=False)

    def models(self) -> list[Listing]:
        """Every shipped model, by name; a broken manifest is listed with its error."""
        return self._listings("model")

    def datasets(self) -> list[Listing]:
        """Every shipped data set, by name; a broken manifest is listed with its error."""
        return self._listings("dataset")

    def model(self, name_or_path: str) -> ModelManifest:
        """One model. Raises UserError for an unknown or ambiguous name, ManifestError for a file that is wrong."""
        found = self._find("model", name_or_path)
        assert isinstance(found, ModelManifest), "expect has looked"
        return found

    def dataset(self, name_or_path: str) -> DataSetManifest:
        """One data set. Raises UserError for an unknown or ambiguous name, ManifestError for a file that is wrong."""
        found = self._find("dataset", name_or_path)
        assert isinstance(found, DataSetManifest), "expect has looked"
        return found

    def shipped(self, kind: Kind) -> Sequence[Shipped]:
        """The files of one kind in every plugin's folder, in the order of their paths."""
        if kind not in self._shipped:
            folder = dict(_FOLDERS)[kind]
            self._shipped[kind] = tuple(
                Shipped(kind, entry.plugin, path)
                for entry in self.catalog.manifests
                for path in sorted((entry.provider.path / folder).glob("*.yaml"))
            )
        return self._shipped[kind]

    def _listings(self, kind: Kind) -> list[Listing]:
        listings = (file.listing(name) for file in self.shipped(kind) for name in file.names)
        return sorted(listings, key=lambda entry: (entry.name, entry.plugin))

    def _find(self, kind: Kind, name_or_path: str) -> ModelManifest | DataSetManifest:
        found = self._at(kind, name_or_path) if is_path(name_or_path) else self._named(kind, name_or_path)
        expect(found, kind)
        return found

    def _at(self, kind: Kind, name: str) -> ModelManifest | DataSetManifest:
        """A file, or one of a family's (``PATH#MEMBER``); one that a plugin ships belongs to the plugin."""
        file, _, member = name.partition("#")
        path = Path(file)
        for shipped in self.shipped(kind):
            if path.name == shipped.path.name and path.exists() and path.samefile(shipped.path):
                return read_manifest(path, shipped.plugin, member or None)
        return read_manifest(path, None, member or None)

    def _named(self, kind: Kind, name: str) -> ModelManifest | DataSetManifest:
        found = [file for file in self.shipped(kind) if name in file.names]
        if not found:
            raise PluginError(  # a plugin that did not load may ship it
                f"no {_WORDS[kind]} is named {name!r}",
                did_you_mean(name, (known for file in self.shipped(kind) for known in file.names))
                + " For a file, give a path that ends in .yaml.",
            )
        if len(found) > 1:
            raise UserError(f"{_WORDS[kind]} {name!r} is shipped by {_owners(found)}", _choose(found))
        return found[0].read(name)


def is_path(name_or_path: str) -> bool:
    """True for what names a file rather than a shipped manifest."""
    return "/" in name_or_path or name_or_path.partition("#")[0].endswith((".yaml", ".yml"))


def expect(manifest: ModelManifest | DataSetManifest, kind: Kind) -> None:
    """Raise ManifestError when the manifest is of the other kind."""
    found: Kind = "model" if isinstance(manifest, ModelManifest) else "dataset"
    if found != kind:
        raise ManifestError(
            f"{place(manifest.origin.path, 'kind')}: {found}, and the manifest of a {_WORDS[kind]} is wanted",
            f"A {_WORDS[kind]} begins with `kind: {kind}`.",
        )


def _owners(files: Sequence[Shipped]) -> str:
    return " and by ".join(f"{file.plugin} ({file.path.name})" for file in files)


def _choose(files: Sequence[Shipped]) -> str:
    plugins = {file.plugin for file in files}
    block = f"Block one of them: --block {files[-1].plugin}; or give" if len(plugins) > 1 else "Give"
    return f"{block} the path of the one that you mean: {files[0].path}"
