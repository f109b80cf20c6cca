"""A manifest as YAML that people read: Python in block scalars, tensors and short lists on one line."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mlharness.errors import ManifestError
from mlharness.manifest.files import is_uri
from mlharness.manifest.located import Located, parse_located
from mlharness.manifest.published.upgrade import read_upgraded
from mlharness.manifest.reading import make_manifest

_WIDTH = 120
_SHORT = 90
"""The longest list or mapping that stands on one line."""
_HEADING = "# Upgraded from the published MLHarness format by `mlh manifest upgrade`.\n"


def upgrade_file(path: Path) -> Located:
    """A published file as a manifest of our format.

    Raises:
        ManifestError: the file cannot be read, is of our format already, or something is wrong with it.
    """
    located = read_upgraded(path)
    if not located.origins and not located.problems:
        make_manifest(located, member=next(iter(located.data.get("members", ())), None))  # says what is wrong with it
        raise ManifestError(f"{path} is a manifest of our format already", "There is nothing to upgrade.")
    make_manifest(located)
    return located


def write_manifest(located: Located, folder: Path | None = None) -> str:
    """The text of a manifest, without the comments that its file may have.

    Args:
        located: a manifest of our format, or one that was read as such.
        folder: where the text will lie: paths of files, which count from there, are written so that they stay right.
    """
    data = located.data if folder is None else moved(located.data, located.path.parent, folder)
    data = {
        key: tidied(value) if key in ("preprocess", "postprocess", "options") else value for key, value in data.items()
    }
    text = _HEADING + yaml.dump(data, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=_WIDTH)
    if not _holds(text, data):  # text that no block scalar can hold, as a carriage return
        text = _HEADING + yaml.safe_dump(data, sort_keys=False, width=_WIDTH)
    return text


def moved(data: Mapping[str, Any], here: Path, there: Path) -> dict[str, Any]:
    """The manifest with the paths of its model's files counted from another folder."""
    model = data.get("model")
    if not isinstance(model, dict) or here.absolute() == there.absolute():
        return dict(data)
    files = [
        {**file, "source": file["source"] if is_uri(file["source"]) else relative(here / file["source"], there)}
        for file in model.get("files", ())
    ]
    return {**data, "model": {**model, "files": files}}


def relative(path: Path, folder: Path) -> str:
    """A path as it is written in a folder's file."""
    return os.path.relpath(path.absolute(), folder.absolute())


def tidied(value: Any) -> Any:
    """Steps or options with blanks at the ends of their Python's lines taken off, which no block scalar may have."""
    if isinstance(value, dict):
        return {key: tidied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [tidied(inner) for inner in value]
    return without_trailing_blanks(value) if isinstance(value, str) and "\n" in value else value


def without_trailing_blanks(source: str) -> str:
    """The source, unless it is no Python or would be other Python then: a text over several lines may end in blanks."""
    short = "\n".join(line.rstrip(" \t") for line in source.split("\n"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same = ast.dump(ast.parse(short)) == ast.dump(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    return short if same else source


def _holds(text: str, data: Mapping[str, Any]) -> bool:
    try:
        return parse_located(Path("manifest"), text, "").data == data
    except ManifestError:
        return False


class _Writer(yaml.SafeDumper):
    """PyYAML's, with styles chosen for people."""

    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is written as a reference to what stands above."""
        return True

    def analyze_scalar(self, scalar: str) -> Any:
        """Let text over several lines stand in a block: PyYAML would quote what has tabs, or blanks at a line's end."""
        analysis = super().analyze_scalar(scalar)
        if "\n" in scalar and all(letter.isprintable() or letter in "\n\t" for letter in scalar):
            analysis.allow_block = True
        return analysis

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand indented below their keys."""
        super().increase_indent(flow, False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Text over several lines as a block."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    def represent_list(self, data: Any) -> yaml.SequenceNode:
        """A short list on one line."""
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=_is_short(data))

    def represent_dict(self, data: Any) -> yaml.MappingNode:
        """A short mapping on one line."""
        return self.represent_mapping("tag:yaml.org,2002:map", data, flow_style=_is_short(data))


_Writer.add_representer(str, _Writer.represent_text)
_Writer.add_representer(list, _Writer.represent_list)
_Writer.add_representer(dict, _Writer.represent_dict)


def _is_short(value: Any) -> bool:
    """True for a list or a mapping of scalars, or of short lists of them, that fits on a line."""
    items = list(value.values() if isinstance(value, dict) else value)
    flat = not any(isinstance(item, dict) for item in items)
    return flat and len(shown := repr(value)) <= _SHORT and "\\n" not in shown
