"""``mlh models``: the models that installed plugins and mlharness ship, and one of them in full."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mlharness.cli.options import block_option, device_option, framework_option, model_argument, output_options
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


@command.command()
@model_argument
@device_option
@framework_option
@click.option("--trust", is_flag=True, help="Let the manifest's Python be executed, now and later.")
@block_option
@output_options
def inspect(model: str, device: str, framework: str | None, trust: bool, block: Sequence[str], output: Output) -> None:
    """Load MODEL once and show its inputs and outputs, the framework's version and its devices."""
    from mlharness.choices import Choices
    from mlharness.cli.discovery import discover
    from mlharness.cli.listing import show_fields
    from mlharness.errors import PluginError
    from mlharness.inspecting import inspect_model
    from mlharness.paths import runs_dir
    from mlharness.request import prepare
    from mlharness.supervise import Watch

    plugins = discover(block)
    choices = Choices(device=device, framework=framework, trust=trust)
    try:
        found = inspect_model(prepare(model, choices, plugins, runs_dir(), tuple(block)), Watch())
    except PluginError as error:
        raise plugins.explain(error) from error
    show_fields(output, {key: value for key, value in found.items() if key != "event"})
