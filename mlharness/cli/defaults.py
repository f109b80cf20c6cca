"""Defaults from configuration files, brought to a command's options before its command line is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from mlharness.cli.options import complete_profiles
from mlharness.errors import UserError

if TYPE_CHECKING:
    from mlharness.config import Source
    from mlharness.providers import Option

NOT_IN_FILES = frozenset({
    "against", "anyway", "dry-run", "fail-if", "help", "json", "no-color", "profile", "quiet", "summary", "trust",
    "verbose",
})  # fmt: skip
"""Options that only a command line can give: a checkout's file must not grant itself trust, nor excuse an unfair
comparison, nor change what one invocation prints or which files it writes."""

_TYPES: dict[str, Literal["integer", "number", "boolean", "string"]] = {
    "integer": "integer",
    "integer range": "integer",
    "float": "number",
    "float range": "number",
    "boolean": "boolean",
}
"""click's names of types, and the types of :class:`~mlharness.providers.Option`; every other type is text."""


_USED = f"{__name__}.used"


@dataclass(frozen=True)
class Used:
    """A default from a file: its option, its value, and where it stands."""

    option: click.Option
    value: Any
    source: Source
    context: click.Context

    @property
    def given(self) -> bool:
        """True unless the command line gave another value."""
        return self.context.get_parameter_source(str(self.option.name)) is ParameterSource.DEFAULT_MAP

    def named_in(self, message: str) -> bool:
        """True when a message is about the option, or quotes the value or (of KEY=VALUE) the key."""
        if re.search(rf"--{re.escape(_long_name(self.option))}(?![\w-])", message):
            return True
        values = self.value if isinstance(self.value, list) else [self.value]
        return any(repr(part) in message for value in values for part in (str(value), str(value).partition("=")[0]))


def blame_files(error: UserError, meta: Mapping[str, Any]) -> UserError:
    """The same error; where it is about a value from a configuration file, with file, line, table and key in front.

    Args:
        error: what the command raised.
        meta: of any of the command's contexts, which share it.
    """
    used = [one for one in meta.get(_USED, ()) if one.given]
    for one in used:
        if one.named_in(error.message):
            where = f"{one.source}: {_long_name(one.option)}"
            return type(error)(f"{where}: {error.message}", error.remedy)
    return error


def add_profile(command: click.Command) -> None:
    """Give a command ``--profile NAME``, and the defaults of the configuration files with it."""
    if all(param.name != "profile" for param in command.params):
        command.params.append(
            click.Option(
                ["--profile"],
                metavar="NAME",
                is_eager=True,  # before the options whose defaults it brings
                expose_value=False,
                callback=_apply,
                shell_complete=complete_profiles,
                help="Take defaults from [profiles.NAME] of mlharness.toml.",
            )
        )


def _apply(context: click.Context, parameter: click.Parameter, profile: str | None) -> None:
    if context.resilient_parsing:
        return
    from mlharness.config import load_config

    settable = _settable(context.command)
    declared = [_describe(name, option) for name, option in settable.items()]
    config, name = load_config(Path.cwd()), str(context.command.name)
    found = config.defaults(name, profile, declared)
    context.default_map = {str(settable[key].name): value for key, value in found.items()}
    sources = config.sources(name, profile)
    context.meta[_USED] = [Used(settable[key], value, sources[key], context) for key, value in found.items()]


def _settable(command: click.Command) -> dict[str, click.Option]:
    """The options that a file may give, by their long names without dashes."""
    named = {_long_name(param): param for param in command.params if isinstance(param, click.Option)}
    return {name: option for name, option in named.items() if name not in NOT_IN_FILES}


def _long_name(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")


def _describe(name: str, option: click.Option) -> Option:
    from mlharness.providers import Option

    choices: tuple[Any, ...] = tuple(getattr(option.type, "choices", ()))
    if option.multiple:
        return Option(name, "array", option.help or "")
    if option.is_flag:
        return Option(name, "boolean", option.help or "")
    return Option(name, _TYPES.get(option.type.name, "string"), option.help or "", choices=choices)
