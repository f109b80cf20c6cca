"""``mlh``: finds the command, runs it, and turns whatever ends it into an exit code.

Importing this module must stay cheap: ``mlh --help`` imports no command.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from mlharness.cli.exits import ExitCode, exit_code
from mlharness.cli.usage import SpellingGroup, explain
from mlharness.errors import Interrupted, MlharnessError, UserError

PROGRAM = "mlh"
COMPLETE_VARIABLE = "_MLH_COMPLETE"
REPORT = (
    "This is a bug in mlharness. Please report it with the lines above: https://github.com/mlharness/mlharness/issues"
)

COMMANDS: dict[str, str] = {
    "analyze": "Say where the time of a traced run goes.",
    "bench": "Measure a model under MLPerf's rules.",
    "bundle": "Put a run into one file that others can verify, or verify one.",
    "compare": "Say which of several runs is faster, and how sure that is.",
    "completion": "Print the shell's completion script.",
    "datasets": "List data sets, or show one.",
    "doctor": "Check this host, plugins and frameworks before a run.",
    "env": "Make and export environments for frameworks and their versions.",
    "init": "Write the beginning of a plugin.",
    "manifest": "Upgrade a manifest of the published MLHarness format.",
    "models": "List models, or show one.",
    "plugins": "List plugins: what each provides, and what is wrong with it.",
    "report": "Make a page of a run, a sweep or a comparison.",
    "reproduce": "Make the run of a bundle again, and say how near it comes.",
    "runs": "List runs, show, label, remove, export or import some.",
    "sweep": "Measure many models on many systems.",
    "trace": "Export the trace of a run.",
    "trust": "List or withdraw the trust given to manifests' Python.",
    "ui": "Show runs in a browser.",
    "validate": "Check manifests without running anything.",
    "verify": "Compare a model's outputs on several frameworks.",
}
"""Every command with its line of help. ``mlharness.cli.NAME`` holds it under the name ``command``."""

CONFIGURED = ("bench",)
"""Commands whose options take defaults from configuration files."""


class LazyGroup(SpellingGroup):
    """The group of :data:`COMMANDS`; a command's module is imported when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the table."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None when the table has none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"mlharness.cli.{cmd_name}").command
        if cmd_name in CONFIGURED:
            from mlharness.cli.defaults import add_profile

            add_profile(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table as it is, so that help imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _show_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"{PROGRAM} {version('mlharness')}")
        context.exit()


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
@click.pass_context
def command(context: click.Context) -> None:
    """Benchmark machine-learning models under MLPerf's rules.

    One manifest, one command, a fair number: try `mlh models`, then `mlh bench MODEL`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mlh`` with these arguments (None: the process's own) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(list(given))  # click takes words out of the list as it reads them
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has had enough; the interpreter's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the one place where every error ends
        return _report(error, as_json="--json" in given)
    return code


def _run(arguments: list[str]) -> int:
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(command, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    try:
        # not click's own main(), which has exit codes of its own for broken pipes and interrupts
        with command.make_context(PROGRAM, arguments) as context:
            code = _invoke(context)
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.Abort:
        raise Interrupted("interrupted") from None
    except click.ClickException as error:
        raise explain(error) from error
    return code if isinstance(code, int) else ExitCode.DONE


def _invoke(context: click.Context) -> Any:
    try:
        return command.invoke(context)
    except click.ClickException as error:
        raise _placed(explain(error), context) from error
    except UserError as error:
        placed = _placed(error, context)
        if placed is error:
            raise
        raise placed from error


def _placed(error: UserError, context: click.Context) -> UserError:
    if not context.meta:  # no command that reads configuration files
        return error
    from mlharness.cli.defaults import blame_files

    return blame_files(error, context.meta)


def _report(error: BaseException, as_json: bool) -> ExitCode:
    """Say on stderr what ended the command (and on stdout with ``--json``); the exit code that goes with it."""
    code = exit_code(error)
    if code == ExitCode.BUG:
        import traceback

        traceback.print_exception(error)
    message, remedy = _words(error, code)
    from mlharness.cli.output import print_document, print_error

    if as_json:
        print_document({"error": {"message": message, "remedy": remedy}, **getattr(error, "details", {})})
    label = "Interrupted" if code == ExitCode.INTERRUPTED else f"Error: {message}"
    print_error("\n".join(line for line in (label, remedy) if line))
    return code


def _words(error: BaseException, code: ExitCode) -> tuple[str, str]:
    if isinstance(error, MlharnessError):
        return error.message, error.remedy
    if code == ExitCode.INTERRUPTED:
        return "interrupted", ""
    return f"{type(error).__name__}: {error}", REPORT
