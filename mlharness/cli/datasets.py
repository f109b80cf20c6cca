"""``mlh datasets``: the data sets that installed plugins and mlharness ship, and one of them in full."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mlharness.cli.options import block_option, complete_datasets, output_options
from mlharness.cli.output import Output
from mlharness.cli.usage import SpellingGroup


@click.group(cls=SpellingGroup, invoke_without_command=True)
@block_option
@output_options
@click.pass_context
def command(context: click.Context, block: Sequence[str], output: Output) -> None:
    """List data sets, or show one. Nothing of a manifest is executed."""
    if context.invoked_subcommand is None:
        from mlharness.cli.discovery import library
        from mlharness.cli.listing import show_listings

        show_listings(output, "datasets", library(block).datasets())


@command.command()
@click.argument("dataset", metavar="DATASET", shell_complete=complete_datasets)
@block_option
@output_options
def show(dataset: str, block: Sequence[str], output: Output) -> None:
    """Show the manifest of DATASET, a name or the path of a file, as mlharness understands it."""
    from mlharness.cli.discovery import library
    from mlharness.cli.listing import show_manifest

    show_manifest(output, library(block).dataset(dataset))
