"""Defaults for commands' options, from files: the project's win over the user's, and the command line over both.

The project's file is the nearest ``mlharness.toml``, or ``pyproject.toml`` with a table ``[tool.mlharness]``, in the
current folder or above it; the user's is ``mlharness.toml`` in the configuration directory. In either, ``[bench]``
gives defaults for ``mlh bench``, and ``[profiles.NAME.bench]`` those that ``--profile NAME`` chooses. A profile, which
the user asked for by name, wins over the plain tables of both files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from mlharness.errors import UserError, did_you_mean
from mlharness.options import check_value
from mlharness.providers import Option
from mlharness.toml_lines import TomlFile, read_toml

FILE_NAME = "mlharness.toml"
COMMANDS = ("bench",)
"""The commands that have a table."""
_PROFILES = "profiles"


@dataclass(frozen=True)
class Layer:
    """One file's tables; ``root`` is the table of the file that holds them, as ``("tool", "mlharness")``."""

    source: TomlFile
    root: tuple[str, ...]
    tables: Mapping[str, Any]

    def heading(self, *keys: str) -> str:
        """A table's heading, as written in the file."""
        return f"[{'.'.join((*self.root, *keys))}]"

    def error(self, keys: Sequence[str], message: str, remedy: str) -> UserError:
        """A UserError about a table or a key: the message with file and line in front."""
        return UserError(f"{self.source.path}:{self.source.line((*self.root, *keys))}: {message}", remedy)

    def sections(self, command: str) -> Iterator[tuple[str | None, tuple[str, ...], Mapping[str, Any]]]:
        """Each table for a command: its profile (None: always used), where it stands, its keys and values."""
        if command in self.tables:
            yield None, (command,), self.tables[command]
        for profile, tables in self.tables.get(_PROFILES, {}).items():
            if command in tables:
                yield profile, (_PROFILES, profile, command), tables[command]


@dataclass(frozen=True)
class Source:
    """Where a default comes from; as text ``FILE:LINE: [TABLE]``, for which the file is looked through."""

    layer: Layer
    table: tuple[str, ...]
    key: str

    def __str__(self) -> str:
        return self.layer.error((*self.table, self.key), self.layer.heading(*self.table), "").message


@dataclass(frozen=True)
class Config:
    """The files that were found, the weaker first."""

    layers: tuple[Layer, ...] = ()

    def profiles(self) -> list[str]:
        """The names of all profiles, sorted."""
        return sorted({name for layer in self.layers for name in layer.tables.get(_PROFILES, {})})

    def defaults(
        self, command: str, profile: str | None = None, declared: Sequence[Option] | None = None
    ) -> dict[str, Any]:
        """The defaults for a command's options, by the options' long names without the leading dashes.

        Args:
            command: one of :data:`COMMANDS`.
            profile: the profile to lay over the plain tables.
            declared: the command's options; every table of the command, chosen or not, is held against them.

        Raises:
            UserError: an unknown profile; with ``declared``, an unknown key or a value of the wrong type.
        """
        return {key: value for key, (value, _) in self._chosen(command, profile, declared).items()}

    def sources(self, command: str, profile: str | None = None) -> dict[str, Source]:
        """Where each of the :meth:`defaults` comes from."""
        return {key: source for key, (_, source) in self._chosen(command, profile).items()}

    def _chosen(
        self, command: str, profile: str | None, declared: Sequence[Option] | None = None
    ) -> dict[str, tuple[Any, Source]]:
        if profile is not None and profile not in self.profiles():
            raise UserError(f"there is no profile {profile!r}", did_you_mean(profile, self.profiles()))
        chosen: dict[str | None, dict[str, tuple[Any, Source]]] = {None: {}, profile: {}}
        for layer in self.layers:
            for name, table, values in layer.sections(command):
                if declared is not None:
                    _check_values(layer, table, values, declared)
                if name in chosen:
                    chosen[name].update({key: (value, Source(layer, table, key)) for key, value in values.items()})
        return {**chosen[None], **chosen[profile]}


def load_config(start: Path) -> Config:
    """The user's configuration and that of the project around the folder ``start``.

    Raises:
        UserError: a file that cannot be read or is no TOML, an unknown table, a table that is none; with the line.
    """
    user = config_dir() / FILE_NAME
    found = [_read_layer(user)] if user.is_file() else []
    project = _project_layer(start.absolute())
    if project is not None and project.source.path != user:
        found.append(project)
    return Config(tuple(found))


def config_dir() -> Path:
    """The user's configuration directory (not created); ``MLH_CONFIG_DIR`` moves it."""
    return Path(os.environ.get("MLH_CONFIG_DIR") or platformdirs.user_config_dir("mlharness", appauthor=False))


def _project_layer(start: Path) -> Layer | None:
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return _read_layer(folder / FILE_NAME)
        pyproject = folder / "pyproject.toml"
        if pyproject.is_file():
            source = read_toml(pyproject)
            tool = source.data.get("tool", {})
            if isinstance(tool, dict) and "mlharness" in tool:
                return _checked(Layer(source, ("tool", "mlharness"), tool["mlharness"]))
    return None


def _read_layer(file: Path) -> Layer:
    source = read_toml(file)
    return _checked(Layer(source, (), source.data))


def _checked(layer: Layer) -> Layer:
    _check_table(layer, (), layer.tables, (*COMMANDS, _PROFILES))
    for name, profile in layer.tables.get(_PROFILES, {}).items():
        _check_table(layer, (_PROFILES, name), profile, COMMANDS)
    return layer


def _check_table(layer: Layer, keys: tuple[str, ...], table: Any, allowed: Sequence[str]) -> None:
    """Raise UserError unless this is a table of tables with the allowed names."""
    _expect_table(layer, keys, table)
    for name, value in table.items():
        inner = (*keys, name)
        if name not in allowed:
            raise layer.error(
                inner, f"{layer.heading(*inner)} is not a table of mlharness", did_you_mean(name, allowed)
            )
        _expect_table(layer, inner, value)


def _expect_table(layer: Layer, keys: tuple[str, ...], value: Any) -> None:
    if not isinstance(value, dict):
        heading = layer.heading(*keys)
        raise layer.error(keys, f"{heading} is {value!r}, and must be a table", f"Write the heading {heading}.")


def _check_values(layer: Layer, table: tuple[str, ...], values: Mapping[str, Any], declared: Sequence[Option]) -> None:
    by_name = {option.name: option for option in declared}
    for key, value in values.items():
        if key not in by_name:
            message = f"{layer.heading(*table)} has no key {key!r}"
            raise layer.error((*table, key), message, did_you_mean(key, by_name))
        try:
            check_value(layer.heading(*table), by_name[key], value)
        except UserError as error:
            raise layer.error((*table, key), error.message, error.remedy) from None
