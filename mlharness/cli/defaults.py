"""Defaults from configuration files, brought to a command's options before its command line is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from mlharness.providers import Option

NOT_IN_FILES = frozenset({"dry-run", "help", "json", "no-color", "profile", "quiet", "trust", "verbose"})
"""Options that only a command line can give: a checkout's file must not grant itself trust, nor change what one
invocation prints."""

_TYPES: dict[str, Literal["integer", "number", "boolean", "string"]] = {
    "integer": "integer",
    "integer range": "integer",
    "float": "number",
    "float range": "number",
    "boolean": "boolean",
}
"""click's names of types, and the types of :class:`~mlharness.providers.Option`; every other type is text."""


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
                help="Take defaults from [profiles.NAME] of mlharness.toml.",
            )
        )


def _apply(context: click.Context, parameter: click.Parameter, profile: str | None) -> None:
    if context.resilient_parsing:
        return
    from mlharness.config import load_config

    settable = _settable(context.command)
    declared = [_describe(name, option) for name, option in settable.items()]
    found = load_config(Path.cwd()).defaults(str(context.command.name), profile, declared)
    context.default_map = {str(settable[name].name): value for name, value in found.items()}


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
