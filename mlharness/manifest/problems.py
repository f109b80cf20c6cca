"""What is wrong with a manifest: one problem is one line, as a compiler would print it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlharness.manifest.located import KeyPath

_PLAIN_KEY = re.compile(r"[\w.-]+\Z")
_LONGEST = 60


@dataclass(frozen=True)
class Problem:
    """One problem of one manifest.

    Attributes:
        file: the manifest as its path was given.
        line: 1-based.
        key: the dotted path of the key, as ``inputs[0].dtype``; empty for the whole file.
        found: what stands there, or what is wrong.
        allowed: what may stand there; empty when ``found`` says enough.
        suggestion: the likely right spelling; empty when there is none.
    """

    file: str
    line: int
    key: str
    found: str
    allowed: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        allowed = f" (allowed: {self.allowed})" if self.allowed else ""
        suggestion = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return one_line(f"{self.file}:{self.line}: {key}{self.found}{allowed}{suggestion}")


def dotted(key: KeyPath) -> str:
    """A key's path as it is shown: names with dots between, list indices in brackets, odd names quoted."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f"[{show(part)}]"
    return text


def show(value: Any) -> str:
    """A value as a message shows it: as YAML would spell it where that is short, else what it is."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else repr(value)
    )
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def one_line(text: str) -> str:
    """The text with line breaks and other unprintable characters escaped."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def closest(found: str, allowed: Iterable[str]) -> str:
    """The likely right spelling of a name, or an empty string."""
    folded = {name.casefold(): name for name in allowed}
    close = difflib.get_close_matches(found.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""
