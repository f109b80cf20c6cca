"""``mlh models``: the models that installed plugins and mlharness ship, one in full, and its export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mlharness.cli.options import (
    allow_http_option,
    block_option,
    complete_frameworks,
    device_option,
    framework_option,
    model_argument,
    output_options,
)
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
@allow_http_option
@block_option
@output_options
def inspect(
    model: str, device: str, framework: str | None, trust: bool, allow_http: bool, block: Sequence[str], output: Output
) -> None:
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
    choices = Choices(device=device, framework=framework, trust=trust, allow_http=allow_http)
    try:
        request = prepare(model, choices, plugins, runs_dir(), tuple(block))
        found = inspect_model(request, Watch())
        output.warn(request.warnings())
    except PluginError as error:
        raise plugins.explain(error) from error
    show_fields(output, {key: value for key, value in found.items() if key != "event"})


@command.command()
@model_argument
@click.option("--to", "form", metavar="FORMAT", default="onnx", show_default=True, help="Format of the file.")
@click.option(
    "--framework", metavar="NAME", shell_complete=complete_frameworks,
    help="Whose model: one of the manifest's frameworks, instead of the first that can.",
)  # fmt: skip
@click.option("--weights", metavar="NAME", help="Weights instead of the manifest's: a zoo's name of some, or none.")
@click.option("--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="Copy the file here, too.")
@click.option("--force", is_flag=True, help="Replace FILE when it is there.")
@block_option
@output_options
def export(
    model: str, form: str, framework: str | None, weights: str | None, target: Path | None, force: bool,
    block: Sequence[str], output: Output,
) -> None:  # fmt: skip
    """Make a file of MODEL, which is a zoo's, for another framework, and print its path and sha256.

    It is made once, with the weights that a run has, and kept in the cache.
    """
    from mlharness import exporting
    from mlharness.cli.discovery import discover
    from mlharness.cli.progress import make_watch
    from mlharness.errors import PluginError

    if target is not None:
        exporting.check_output(target, force)
    plugins = discover(block)
    try:
        request = exporting.export_request(exporting.Export(model, form, framework, weights), plugins, tuple(block))
        exported = exporting.export(request, form, make_watch(output))
        output.warn(request.warnings())
    except PluginError as error:
        raise plugins.explain(error) from error
    if target is not None:
        exported = exporting.copy_to(exported, target)
    output.show(lambda: exported, lambda: output.line(f"{exported.path}\nsha256 {exported.sha256}"))
