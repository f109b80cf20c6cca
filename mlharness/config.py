"""Defaults for commands' options, from files: the project's win over the user's, and the command line over both.

The project's file is the nearest ``mlharness.toml``, or ``pyproject.toml`` with a table ``[tool.mlharness]``, in the
current folder or above it; the user's is ``mlharness.toml`` in the configuration directory. In either, ``[bench]``
gives defaults for ``mlh bench``, and ``[profiles.NAME.bench]`` those that ``--profile NAME`` chooses. A profile, which
the user asked for by name, wins over the plain tables of both files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from mlharness.errors import UserError, did_you_mean
from mlharness.options import check_value
from mlharness.providers import Option

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_NAME = "mlharness.toml"
COMMANDS = ("bench",)
"""The commands that have a table."""
_PROFILES = "profiles"


@dataclass(frozen=True)
class Layer:
    """One file's tables; ``prefix`` (``tool.mlharness.``, or nothing) stands before a table's name in the file."""

    file: Path
    prefix: str
    tables: Mapping[str, Any]

    def name(self, *keys: str) -> str:
        """How messages call a table: the file, and the heading as written there."""
        return f"{self.file}: [{self.prefix}{'.'.join(keys)}]"

    def sections(self, command: str) -> Iterator[tuple[str | None, str, Mapping[str, Any]]]:
        """Each table for a command: its profile (None: always used), its name in messages, its keys and values."""
        if command in self.tables:
            yield None, self.name(command), self.tables[command]
        for profile, tables in self.tables.get(_PROFILES, {}).items():
            if command in tables:
                yield profile, self.name(_PROFILES, profile, command), tables[command]


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

    def sources(self, command: str, profile: str | None = None) -> dict[str, str]:
        """The table, as messages call it, from which each of the :meth:`defaults` comes."""
        return {key: title for key, (_, title) in self._chosen(command, profile).items()}

    def _chosen(
        self, command: str, profile: str | None, declared: Sequence[Option] | None = None
    ) -> dict[str, tuple[Any, str]]:
        if profile is not None and profile not in self.profiles():
            raise UserError(f"there is no profile {profile!r}", did_you_mean(profile, self.profiles()))
        chosen: dict[str | None, dict[str, tuple[Any, str]]] = {None: {}, profile: {}}
        for layer in self.layers:
            for name, title, values in layer.sections(command):
                if declared is not None:
                    _check_values(title, values, declared)
                if name in chosen:
                    chosen[name].update({key: (value, title) for key, value in values.items()})
        return {**chosen[None], **chosen[profile]}


def load_config(start: Path) -> Config:
    """The user's configuration and that of the project around the folder ``start``.

    Raises:
        UserError: a file that cannot be read or is no TOML (with the line), an unknown table, a table that is none.
    """
    user = config_dir() / FILE_NAME
    found = [_read_layer(user)] if user.is_file() else []
    project = _project_layer(start.absolute())
    if project is not None and project.file != user:
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
            tool = _parse(pyproject).get("tool", {})
            if isinstance(tool, dict) and "mlharness" in tool:
                return _checked(
                    Layer(pyproject, "tool.mlharness.", _table(f"{pyproject}: [tool.mlharness]", tool["mlharness"]))
                )
    return None


def _read_layer(file: Path) -> Layer:
    return _checked(Layer(file, "", _parse(file)))


def _parse(file: Path) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{file} is not valid TOML: {error}", "Mend the file, or move it away.") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text", "Save the file as UTF-8.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}", "Mend the file's permissions.") from None
    return parsed


def _checked(layer: Layer) -> Layer:
    _check_tables(str(layer.file), layer.prefix, layer.tables, (*COMMANDS, _PROFILES))
    for name, profile in layer.tables.get(_PROFILES, {}).items():
        prefix = f"{layer.prefix}{_PROFILES}.{name}"
        _check_tables(str(layer.file), f"{prefix}.", _table(f"{layer.file}: [{prefix}]", profile), COMMANDS)
    return layer


def _check_tables(file: str, prefix: str, tables: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for name, value in tables.items():
        if name not in allowed:
            raise UserError(f"{file}: [{prefix}{name}] is not a table of mlharness", did_you_mean(name, allowed))
        _table(f"{file}: [{prefix}{name}]", value)


def _table(title: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{title} is {value!r}, and must be a table", f"Write the heading {title.split(': ')[-1]}.")
    return value


def _check_values(title: str, values: Mapping[str, Any], declared: Sequence[Option]) -> None:
    by_name = {option.name: option for option in declared}
    for key, value in values.items():
        if key not in by_name:
            raise UserError(f"{title} has no key {key!r}", did_you_mean(key, by_name))
        check_value(title, by_name[key], value)
