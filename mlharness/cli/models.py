"""``mlh models``: the models that installed plugins and mlharness ship, and one of them in full."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mlharness.cli.options import block_option, model_argument, output_options
from mlharness.cli.output import Output
from mlharness.cli.usage import SpellingGroup


@click.group(cls=SpellingGroup, invoke_without_command=True)
@block_option
@output_options
@click.pass_context
def command(context: click.Context, block: Sequence[str], output: Output) -> None:
    """List models, or show one. Nothing of a manifest is executed."""
    if context.invoked_subcommand is None:
        from mlharness.cli.discovery import library
        from mlharness.cli.listing import show_listings

        show_listings(output, "models", library(block).models())


@command.command()
@model_argument
@block_option
@output_options
def show(model: str, block: Sequence[str], output: Output) -> None:
    """Show the manifest of MODEL, a name or the path of a file, as mlharness understands it."""
    from mlharness.cli.discovery import library
    from mlharness.cli.listing import show_manifest

    show_manifest(output, library(block).model(model))
