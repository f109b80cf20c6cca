"""A new distribution of the user's: its name, its files from a template, and the folder that they go into."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from string import Template

from mlharness.errors import UserError
from mlharness.plugins import Plugins

TEMPLATES = Path(__file__).parents[1] / "templates"
PREFIX = "mlharness-"
TAKEN = frozenset(
    {
        *("ctranslate2", "mxnet", "null", "onnxruntime", "pytorch", "tensorflow", "torch"),
        *("cupti", "data", "language", "medical", "mlflow", "mlharness", "speech", "vision"),
    }
)
"""Names of mlharness's own plugins and of the frameworks that they are for, whether or not they are installed here."""
_SUFFIX = ".template"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")


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
            f"Choose another, as 'my-{short}': the plugin and what it provides are called by it.",
        )


def package_of(short: str) -> str:
    """The Python package of the distribution ``mlharness-SHORT``."""
    return f"mlharness_{short.replace('-', '_')}"


def render(template: str, short: str, **words: str) -> dict[str, str]:
    """Every file of the distribution ``mlharness-SHORT``: its path inside the distribution's folder, and its text."""
    root, package = TEMPLATES / template, package_of(short)
    words = {
        "name": short, "distribution": PREFIX + short, "package": package, "mlharness": compatible_versions(), **words,
    }  # fmt: skip
    files = {}
    for file in sorted(root.rglob(f"*{_SUFFIX}")):
        path = file.relative_to(root).as_posix().removesuffix(_SUFFIX)
        placed = path.replace("__package__", package).replace("__name__", short)
        files[placed] = Template(file.read_text("utf-8")).substitute(words)
    return files


def compatible_versions() -> str:
    """The versions of mlharness that a plugin written now works with, as a PEP 440 range: up to the next minor one."""
    major, minor = metadata.version("mlharness").split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def write(folder: Path, files: Mapping[str, str | Path]) -> None:
    """Write texts, and copy files. Raises UserError when the folder is there already, or cannot be written."""
    if folder.exists():
        raise UserError(f"{folder} exists already", "Choose another name, or another folder with --output DIR.")
    try:
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read_bytes() if isinstance(content, Path) else content.encode())
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror}", "Choose another folder with --output DIR."
        ) from error
