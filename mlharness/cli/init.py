"""``mlh init``: writes the beginning of something that its author goes on with."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from mlharness.cli.discovery import discover
from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.cli.usage import SpellingGroup
from mlharness.errors import UserError

if TYPE_CHECKING:
    from mlharness.plugins import Plugins

TEMPLATES = Path(__file__).parents[1] / "templates"
PREFIX = "mlharness-"
TAKEN = frozenset({"mlharness", "mxnet", "null", "onnxruntime", "pytorch", "tensorflow", "torch", "vision"})
"""Names of mlharness's own plugins and of the frameworks that they are for, whether or not they are installed here."""
_SUFFIX = ".template"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")


@click.group(cls=SpellingGroup)
def command() -> None:
    """Write the beginning of a plugin, complete and tested."""


@command.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--output", "parent", metavar="DIR", default=".", type=click.Path(path_type=Path),
    help="The folder that gets the plugin's folder; the current one by default.",
)  # fmt: skip
@output_options
def plugin(name: str, parent: Path, output: Output) -> None:
    """Write the plugin mlharness-NAME: a framework, a step, a model to run, and tests that pass as they are.

    Everything is in the folder mlharness-NAME, which must not exist yet.
    """
    short = check_name(name)
    check_free(short, discover())
    folder = parent / f"{PREFIX}{short}"
    files = render(short)
    write(folder, files)
    document = {"folder": str(folder), "files": list(files)}
    output.show(lambda: document, lambda: _tell(output, folder, list(files)))


def check_name(name: str) -> str:
    """The name without ``mlharness-``. Raises UserError for one that could not name a distribution and its things."""
    short = name.removeprefix(PREFIX)
    if not _NAME.match(short):
        raise UserError(
            f"{name!r} cannot name a plugin", "Use lower-case letters, digits and single '-', and begin with a letter."
        )
    return short


def check_free(short: str, plugins: Plugins) -> None:
    """Raise UserError for the name of a framework or a plugin that is there: of two of one name, none is usable."""
    named = {found.name: found.name for found in plugins.found if not found.blocked}
    named |= {found.removeprefix(PREFIX): found for found in named}
    if short in TAKEN:
        taken_by = "mlharness's own plugins"
    elif short in named:
        taken_by = f"the plugin {named[short]}, which is installed"
    else:
        taken_by = next((entry.plugin for entry in plugins.catalog.frameworks if entry.answers_to(short)), "")
        taken_by = taken_by and f"a framework of {taken_by}, which is installed"
    if taken_by:
        raise UserError(
            f"{short!r} cannot name a plugin: it is a name of {taken_by}",
            f"Choose another, as 'my-{short}': the framework, the step and the models of the plugin are called by it.",
        )


def render(name: str) -> dict[str, str]:
    """Every file of the plugin ``mlharness-NAME``: its path inside the plugin's folder, and its text."""
    root = TEMPLATES / "plugin"
    package = f"mlharness_{name.replace('-', '_')}"
    words = {"name": name, "distribution": PREFIX + name, "package": package, "mlharness": compatible_versions()}
    files = {}
    for template in sorted(root.rglob(f"*{_SUFFIX}")):
        path = template.relative_to(root).as_posix().removesuffix(_SUFFIX)
        placed = path.replace("__package__", package).replace("__name__", name)
        files[placed] = Template(template.read_text("utf-8")).substitute(words)
    return files


def compatible_versions() -> str:
    """The versions of mlharness that a plugin written now works with, as a PEP 440 range: up to the next minor one."""
    major, minor = metadata.version("mlharness").split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def write(folder: Path, files: dict[str, str]) -> None:
    """Write the files. Raises UserError when the folder is there already, or cannot be written."""
    if folder.exists():
        raise UserError(f"{folder} exists already", "Choose another name, or another folder with --output DIR.")
    try:
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror}", "Choose another folder with --output DIR."
        ) from error


def _tell(output: Output, folder: Path, files: list[str]) -> None:
    for path in files:
        output.line(str(folder / path))
    output.note(f'Next: cd {folder}, then pip install --editable ".[test]", then pytest.')
