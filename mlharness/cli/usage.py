"""click's complaints about a command line, said in mlharness's form: the thing as written, then what to do."""

from __future__ import annotations

from collections.abc import Iterable

import click

from mlharness.cli.exits import ExitCode
from mlharness.errors import UserError, did_you_mean


class SpellingGroup(click.Group):
    """A group that answers a misspelt command with the likely right one, and the lack of one with its help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; its versions differ in how help that nobody asked for is printed, and in the exit code."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(ExitCode.INPUT)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; raises UserError for a command that is not there."""
        name = args[0]
        if name.startswith("-") or ctx.resilient_parsing or name in self.list_commands(ctx):
            return super().resolve_command(ctx, args)
        raise UserError(f"{ctx.command_path!r} has no command {name!r}", did_you_mean(name, self.list_commands(ctx)))


def explain(error: click.ClickException) -> UserError:
    """The user error that says what click found wrong."""
    if isinstance(error, click.NoSuchOption):
        return _no_such_option(error)
    if isinstance(error, click.BadParameter) and error.param is not None:
        choices = getattr(error.param.type, "choices", ())
        if choices and not isinstance(error, click.MissingParameter):
            return _no_such_choice(error, error.param, [str(choice) for choice in choices])
    return UserError(" ".join(error.format_message().split()).rstrip("."), _see_help(getattr(error, "ctx", None)))


def _no_such_option(error: click.NoSuchOption) -> UserError:
    message = f"there is no option {error.option_name}"
    if error.ctx is None:
        return UserError(message)
    known = [name for param in error.ctx.command.get_params(error.ctx) for name in _long_names(param)]
    return UserError(f"{message} for {error.ctx.command_path!r}", did_you_mean(error.option_name, known))


def _no_such_choice(error: click.BadParameter, param: click.Parameter, choices: Iterable[str]) -> UserError:
    # click keeps the value only inside its message, which begins with the value's repr
    value, separator, _ = error.message.partition(" is not ")
    found = value.strip("'\"") if separator else ""
    hint = param.get_error_hint(error.ctx) if error.ctx is not None else str(param.human_readable_name)
    message = f"{hint} cannot be {found!r}" if separator else error.format_message()
    return UserError(message, did_you_mean(found, choices))


def _long_names(param: click.Parameter) -> list[str]:
    return [name for name in (*param.opts, *param.secondary_opts) if name.startswith("--")]


def _see_help(context: click.Context | None) -> str:
    return f"See: {context.command_path if context is not None else 'mlh'} --help"
