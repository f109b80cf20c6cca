"""Manifests of the user's as a package that publishes them: their files come along, and are named by ``pkg://``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlharness.authoring.distribution import package_of, render
from mlharness.errors import UserError
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.located import KeyPath, Located, read_located
from mlharness.manifest.problems import dotted
from mlharness.manifest.reading import check_located
from mlharness.planning import needs_of
from mlharness.registrars import Catalog
from mlharness.request import find_dataset

FILES = "files"


@dataclass
class Packing:
    """What goes into the package, by path within it; a path of this machine is a file to copy."""

    package: str
    content: dict[str, str | Path] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=lambda: {"model": [], "dataset": []})
    _seen: dict[Path, str] = field(default_factory=dict)

    def add(self, manifest: Path) -> str:
        """Take a manifest, the data set that it names by path, and its files. Returns its name.

        Raises:
            UserError: the manifest is wrong, is a family, or something that it names cannot be found.
        """
        real = manifest.resolve()
        if real in self._seen:
            return self._seen[real]
        located = read_located(manifest)
        for problem in check_located(located):
            raise UserError(str(problem), "Correct the manifest: mlh validate lists all that is wrong.")
        kind, name = str(located.data["kind"]), str(located.data.get("name", ""))
        self._seen[real] = name
        self.names[kind].extend(located.data.get("members", [name]))
        text = replaced(manifest.read_text("utf-8"), dict(self.changes(located, manifest)), located)
        self.place(f"src/{self.package}/manifests/{kind}s/{manifest.stem}.yaml", text)
        return name

    def changes(self, located: Located, manifest: Path) -> Iterator[tuple[KeyPath, str]]:
        """The places of a manifest that name files beside it, and what they are to say instead."""
        for key in located.values:
            value = value_at(located.data, key)
            if isinstance(value, str) and key == ("dataset",) and value.endswith((".yaml", ".yml")):
                yield key, self.add(beside(manifest, value))
            elif isinstance(value, str) and is_file_key(key, located.data["kind"]) and "://" not in value:
                path = manifest.parent / value
                if path.is_file():
                    yield key, self.file(path)
                elif key[0] != "options":
                    beside(manifest, value)

    def file(self, path: Path) -> str:
        """Take a file; the URI by which it is found in the package."""
        self.place(f"src/{self.package}/{FILES}/{path.name}", path)
        return f"pkg://{self.package}/{FILES}/{path.name}"

    def place(self, where: str, content: str | Path) -> None:
        """Put something into the package. Raises UserError when another thing has the place."""
        if self.content.setdefault(where, content) != content:
            raise UserError(f"two files are called {Path(where).name}", "Rename one of them.")


def pack(short: str, manifests: Sequence[Path], catalog: Catalog) -> dict[str, str | Path]:
    """Every file of the distribution ``mlharness-SHORT``, which ships the manifests.

    Raises:
        UserError: a manifest is wrong, there is no model among them, or something that one names is not there.
    """
    packing = Packing(package_of(short))
    for manifest in manifests:
        packing.add(manifest)
    models = packing.names["model"]
    if not models:
        raise UserError("there is no model among the manifests", "Name the manifest of a model.")
    needed = sorted({plugin for manifest in manifests for plugin in plugins_for(manifest, catalog)})
    words = {
        "model": models[0],
        "models": f"({', '.join(map(quoted, models))},)",
        "list": ", ".join(models),
        "plugins": "".join(f", {quoted(plugin)}" for plugin in needed),
    }
    return {**render("package", short, **words), **packing.content}


def plugins_for(manifest: Path, catalog: Catalog) -> Iterator[str]:
    """The distributions that a model's manifest needs beside mlharness; none for a data set's.

    Raises:
        UserError: nothing that is installed provides something that it names.
    """
    located = read_located(manifest)
    if located.data["kind"] != "model":
        return
    library = ManifestLibrary(catalog)
    for member in located.data.get("members", [""]):
        model = library.model(f"{manifest}#{member}" if member else str(manifest))
        for one in (model, *model.alternatives):
            _, plugins = needs_of(one, find_dataset(one, None, library), catalog)
            yield from filter(is_distribution, (*plugins, catalog.frameworks.find(one.framework.name).plugin))


def is_distribution(plugin: str) -> bool:
    """True for what is installed by itself, and not a part of mlharness."""
    return not plugin.startswith("builtin-")


def quoted(text: str) -> str:
    """Text as a literal of Python and TOML."""
    return f'"{text}"'


def beside(manifest: Path, named: str) -> Path:
    """A file that a manifest names. Raises UserError when it is not there."""
    path = manifest.parent / named
    if not path.is_file():
        raise UserError(f"{manifest} names {named}, and there is no file {path}", "Put it there, or correct the path.")
    return path


def is_file_key(key: KeyPath, kind: str) -> bool:
    """True where a manifest names a file: a model's files, or any text within a data set's options."""
    if kind == "dataset":
        return key[0] == "options"
    return "files" in key and "model" in key and (key[-1] == "source" or isinstance(key[-1], int))


def value_at(data: Mapping[str, Any], key: KeyPath) -> Any:
    """The value at a place of a document."""
    value: Any = data
    for part in key:
        value = value[part]
    return value


def replaced(text: str, changes: Mapping[KeyPath, str], located: Located) -> str:
    """The text with other values at some places, and all else, comments too, as it was.

    Raises:
        UserError: a value stands so that it cannot be replaced on its line.
    """
    lines = text.splitlines(keepends=True)
    # From the end, so that columns further left stay where they are.
    for key in sorted(changes, key=lambda one: (located.values[one].line, located.values[one].column), reverse=True):
        place, old = located.values[key], value_at(located.data, key)
        line = lines[place.line - 1]
        at = line.find(old, place.column - 1)
        if at < 0:
            raise UserError(
                f"{located.path}:{place.line}: {dotted(key)} cannot be replaced",
                "Write it on one line, without escapes.",
            )
        lines[place.line - 1] = line[:at] + changes[key] + line[at + len(old) :]
    return "".join(lines)
