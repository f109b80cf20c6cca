"""``mlh manifest``: work on manifests themselves."""

from __future__ import annotations

from pathlib import Path

import click

from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.cli.usage import SpellingGroup


@click.group(cls=SpellingGroup)
def command() -> None:
    """Work on manifests themselves."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="Write it here.")
@click.option("--force", is_flag=True, help="Replace that file when it is there.")
@output_options
def upgrade(file: Path, target: Path | None, force: bool, output: Output) -> None:
    """Write FILE, a manifest of the published MLHarness format, as one of ours. Nothing of it is executed.

    It is printed, or written to --output; FILE itself stays as it is.
    """
    from mlharness.exporting import check_output
    from mlharness.manifest.published.writing import upgrade_file, write_manifest

    if target is not None:
        check_output(target, force)
    located = upgrade_file(file)
    output.warn(map(str, located.warnings[1:]))  # the first says that the format is the published one
    text = write_manifest(located, target.parent if target else None)
    if target is not None:
        _write(target, text)
    document = {"file": file, "output": target, "manifest": located.data, "warnings": [*map(str, located.warnings)]}
    output.show(lambda: document, lambda: output.line(text.rstrip("\n") if target is None else f"Wrote {target}"))


def _write(target: Path, text: str) -> None:
    from mlharness.errors import UserError

    try:
        target.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}", "Check its folder.") from error
