"""TOML files whose keys have lines, for messages: Python's parser gives none, so they are looked for."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")


@dataclass(frozen=True)
class TomlFile:
    """A parsed file."""

    path: Path
    text: str
    data: dict[str, Any]

    def line(self, keys: Sequence[str]) -> int:
        """The 1-based line on which the statement begins that first gives this key; 1 for what is not there.

        The file is parsed up to one line after the other, until the key is there.
        """
        begin = 1
        for number, head in enumerate(_heads(self.text), start=1):
            data = _try(head)
            if data is not None and _holds(data, keys):
                return begin
            begin = begin if data is None else number + 1
        return 1


def read_toml(path: Path) -> TomlFile:
    """Read and parse one file. Raises UserError, with the line, for one that cannot be read or is no TOML."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "Mend the file's permissions.") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}:{line}: not UTF-8 (byte 0x{raw[error.start]:02x})", "Save the file as UTF-8."
        ) from None
    try:
        return TomlFile(path, text, tomllib.loads(text))
    # ValueError: also a number with more digits than Python converts; RecursionError: brackets in brackets.
    except (ValueError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        place = _PLACE.search(said)
        line = int(place[1]) if place and place[1] else _broken_line(text)
        raise UserError(
            f"{path}:{line}: not valid TOML: {_PLACE.sub('', said)}", "Mend the file, or move it away."
        ) from None


def _broken_line(text: str) -> int:
    """Where the statement begins that cannot be parsed: after the longest part that can."""
    heads = list(_heads(text))
    return next((number + 1 for number in range(len(heads) - 1, 0, -1) if _try(heads[number - 1]) is not None), 1)


def _heads(text: str) -> list[str]:
    """The text up to the end of each line."""
    ends = [place.end() for place in re.finditer(r"\n|\Z", text)]
    return [text[:end] for end in ends]


def _try(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _holds(data: Any, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    return True
