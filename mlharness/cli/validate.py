"""``mlh validate``: every problem of every file given, one to a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.exits import ProblemsError
from mlharness.cli.options import block_option, output_options
from mlharness.cli.output import Output
from mlharness.errors import UserError

if TYPE_CHECKING:
    from mlharness.manifest.library import ManifestLibrary


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@block_option
@output_options
def command(files: Sequence[Path], block: Sequence[str], output: Output) -> None:
    """Check manifests of models and data sets. Nothing of them is executed.

    They are held against their schema, and against what the installed plugins provide. Prints one line per problem,
    and ends with exit code 2 when there is any.
    """
    from mlharness.cli.discovery import discover
    from mlharness.manifest.library import ManifestLibrary

    plugins = discover(block)
    library = ManifestLibrary(plugins.catalog)
    checked = [(file, _problems(file, library)) for file in files]
    document = {"files": [{"file": str(file), "problems": [record for _, record in found]} for file, found in checked]}
    lines = [line for _, found in checked for line, _ in found]
    if not output.json:
        for line in lines:
            output.line(line)
    if lines:
        bad = sum(bool(found) for _, found in checked)
        message = f"{_count(len(lines), 'problem')} in {bad} of {_count(len(files), 'file')}"
        remedy = "Mend what the lines above name." if not output.json else "See files."
        raise ProblemsError(message, f"{remedy} {plugins.missing()}".rstrip(), document)
    output.show(lambda: document, lambda: output.note(f"{_count(len(files), 'file')}: no problem"))


def _problems(file: Path, library: ManifestLibrary) -> list[tuple[str, dict[str, Any]]]:
    """Each problem of a file as its line and its record; a file that cannot be read at all is one problem."""
    from mlharness.manifest.provided import check_file

    keys = ("file", "line", "key", "found", "allowed", "suggestion")
    try:
        found = check_file(file, library)
    except UserError as error:
        told = " ".join(error.message.split())
        line = told if told.startswith(f"{file}:") else f"{file}: {told}"
        return [(line, {"message": line, **dict.fromkeys(keys), "file": str(file)})]
    return [
        (str(problem), {"message": str(problem), **{key: getattr(problem, key) for key in keys}}) for problem in found
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
