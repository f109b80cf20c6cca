"""``mlh validate``: every problem of every file given, one to a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mlharness.cli.exits import ProblemsError
from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.errors import UserError


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@output_options
def command(files: Sequence[Path], output: Output) -> None:
    """Check manifests of models and data sets. Nothing of them is executed.

    Prints one line per problem, and ends with exit code 2 when there is any.
    """
    checked = [(file, _problems(file)) for file in files]
    document = {"files": [{"file": str(file), "problems": [record for _, record in found]} for file, found in checked]}
    lines = [line for _, found in checked for line, _ in found]
    if not output.json:
        for line in lines:
            output.line(line)
    if lines:
        bad = sum(bool(found) for _, found in checked)
        message = f"{_count(len(lines), 'problem')} in {bad} of {_count(len(files), 'file')}"
        raise ProblemsError(message, "Mend what the lines above name." if not output.json else "See files.", document)
    output.show(lambda: document, lambda: output.note(f"{_count(len(files), 'file')}: no problem"))


def _problems(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """Each problem of a file as its line and its record; a file that cannot be read at all is one problem."""
    from mlharness.manifest.reading import check_manifest

    keys = ("file", "line", "key", "found", "allowed", "suggestion")
    try:
        found = check_manifest(file)
    except UserError as error:
        told = " ".join(error.message.split())
        line = told if told.startswith(f"{file}:") else f"{file}: {told}"
        return [(line, {"message": line, **dict.fromkeys(keys), "file": str(file)})]
    return [
        (str(problem), {"message": str(problem), **{key: getattr(problem, key) for key in keys}}) for problem in found
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
