"""Tables and text in Markdown, as the generated passages need them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with an empty line before and after it, so that the comments around it do not swallow it."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n" + "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines) + "\n\n"


def cell(text: str) -> str:
    """Text that stays inside its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """The text as code; nothing for an empty one."""
    return f"`{text}`" if str(text) else ""


def block(language: str, source: str) -> str:
    """A fenced block."""
    return f"\n```{language}\n{source.strip()}\n```\n\n"


def from_docstring(text: str | None) -> str:
    """A docstring of the project as Markdown: double backquotes and roles become code."""
    clean = inspect.cleandoc(text or "")
    clean = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", clean)
    return clean.replace("``", "`")


def first_sentence(text: str | None) -> str:
    """The first sentence of a docstring."""
    return re.split(r"(?<=\.)\s", " ".join(from_docstring(text).split()), maxsplit=1)[0]
