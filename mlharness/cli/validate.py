"""``mlh validate``: every problem of every file given, one to a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from mlharness.cli.exits import ProblemsError
from mlharness.cli.options import block_option, output_options
from mlharness.cli.output import Output
from mlharness.errors import UserError

if TYPE_CHECKING:
    from mlharness.manifest.library import ManifestLibrary
    from mlharness.manifest.problems import Problem

_KEYS = ("file", "line", "key", "found", "allowed", "suggestion")


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@block_option
@output_options
def command(files: Sequence[Path], block: Sequence[str], output: Output) -> None:
    """Check manifests of models and data sets, and sweeps. Nothing of them is executed.

    They are held against their schema, and against what the installed plugins provide. Prints one line per problem,
    and ends with exit code 2 when there is any. What is deprecated, or not safe, is warned about on stderr.
    """
    from mlharness.cli.discovery import discover
    from mlharness.manifest.library import ManifestLibrary

    plugins = discover(block)
    library = ManifestLibrary(plugins.catalog)
    checked = [(file, *_look_at(file, library)) for file in files]
    document = {
        "files": [
            {"file": str(file), "problems": [record for _, record in found], "warnings": warnings}
            for file, found, warnings in checked
        ]
    }
    lines = [line for _, found, _ in checked for line, _ in found]
    if not output.json:
        for line in lines:
            output.line(line)
    output.warn(warning["message"] for *_, warnings in checked for warning in warnings)
    if lines:
        bad = sum(bool(found) for _, found, _ in checked)
        message = f"{_count(len(lines), 'problem')} in {bad} of {_count(len(files), 'file')}"
        remedy = "Mend what the lines above name." if not output.json else "See files."
        raise ProblemsError(message, f"{remedy} {plugins.missing()}".rstrip(), document)
    warned = sum(len(warnings) for *_, warnings in checked)
    told = f", {_count(warned, 'warning')}" if warned else ""
    output.show(lambda: document, lambda: output.note(f"{_count(len(files), 'file')}: no problem{told}"))


Told: TypeAlias = "tuple[str, dict[str, Any]]"
"""A problem as its line and its record."""


def _look_at(file: Path, library: ManifestLibrary) -> tuple[list[Told], list[dict[str, Any]]]:
    """A file's problems and the records of its warnings; a file that cannot be read at all is one problem."""
    from mlharness.manifest.provided import look_at
    from mlharness.sweeping.document import check_sweep, is_sweep

    try:
        if is_sweep(file):
            return [(str(problem), _record(problem)) for problem in check_sweep(file)], []
        problems, warnings = look_at(file, library)
    except UserError as error:
        told = " ".join(error.message.split())
        line = told if told.startswith(f"{file}:") else f"{file}: {told}"
        return [(line, {"message": line, **dict.fromkeys(_KEYS), "file": str(file)})], []
    return [(str(problem), _record(problem)) for problem in problems], [_record(found) for found in warnings]


def _record(problem: Problem) -> dict[str, Any]:
    return {"message": str(problem), **{key: getattr(problem, key) for key in _KEYS}}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
