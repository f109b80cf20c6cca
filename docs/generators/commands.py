"""The command line as tables: commands, their arguments and options, and exit codes."""

from __future__ import annotations

import click

from generators.markdown import code, table
from mlharness.cli.exits import ExitCode
from mlharness.cli.main import command as program

_EXIT_CODES = {
    ExitCode.DONE: "Done. A run is valid, and meets its accuracy target if there is one.",
    ExitCode.BUG: "A bug in mlharness; a traceback is printed.",
    ExitCode.INPUT: "The input or the environment is wrong; one message and what to do about it.",
    ExitCode.FAILED: "The run is INVALID or failed, or a check did not hold (`--fail-if`, `verify`, `reproduce`).",
    ExitCode.ACCURACY: "The run is valid, and its accuracy is below the target.",
    ExitCode.INTERRUPTED: "Interrupted.",
}


def options(*path: str) -> str:
    """The options of a command, as ``options("models", "show")``."""
    command = find(*path)
    found = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    rows = [(spelling(option), value(option), shown_default(option), option.help or "") for option in found]
    return table(("option", "value", "default", "meaning"), rows)


def exit_codes() -> str:
    """The exit codes. Raises KeyError for one that nobody has described."""
    return table(("code", "meaning"), [(str(int(code_)), _EXIT_CODES[code_]) for code_ in ExitCode])


def find(*path: str) -> click.Command:
    """A command by its words."""
    found: click.Command = program
    for word in path:
        assert isinstance(found, click.Group), f"{found.name} has no commands"
        inner = found.get_command(click.Context(found), word)
        assert inner is not None, f"{found.name} has no command {word}"
        found = inner
    return found


def spelling(option: click.Option) -> str:
    """Every way to write an option."""
    return ", ".join(map(code, (*option.opts, *option.secondary_opts)))


def value(option: click.Option) -> str:
    """What follows the option; empty for a switch."""
    if option.is_flag or option.count:
        return ""
    if isinstance(option.type, click.Choice):
        return ", ".join(map(code, option.type.choices))
    return option.metavar or {"integer range": "N", "float range": "X", "path": "PATH", "file": "FILE"}.get(
        option.type.name, "TEXT"
    )


def shown_default(option: click.Option) -> str:
    """The default, where it is a value that somebody could have given."""
    given = option.default
    return code(given) if isinstance(given, (str, int, float)) and not option.is_flag and not option.count else ""
