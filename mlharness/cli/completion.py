"""``mlh completion``: the script that makes a shell complete commands, options and names of models."""

from __future__ import annotations

import click

from mlharness.cli.options import output_options
from mlharness.cli.output import Output


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@output_options
@click.pass_context
def command(context: click.Context, shell: str, output: Output) -> None:
    """Print the completion script for SHELL: bash, zsh or fish.

    \b
    bash:  eval "$(mlh completion bash)"       in ~/.bashrc
    zsh:   eval "$(mlh completion zsh)"        in ~/.zshrc
    fish:  mlh completion fish > ~/.config/fish/completions/mlh.fish
    """
    from click.shell_completion import get_completion_class

    from mlharness.cli.main import COMPLETE_VARIABLE, PROGRAM

    completion = get_completion_class(shell)
    if completion is None:
        raise AssertionError(f"click completes no {shell}")
    script = completion(context.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source()
    output.show(lambda: {"shell": shell, "script": script}, lambda: click.echo(script))
