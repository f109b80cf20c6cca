"""Text files that give an image's class on each line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlharness.errors import UserError


def read_lines(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, and their numbers from 1. Raises UserError for what is no text file."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{what} cannot be read: {error}", f"It must be a text file: {path}") from error
    return ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def read_class(text: str, where: str, classes: int | None, form: str) -> int:
    """A class as it is written, counted from 0.

    Args:
        text: what stands in the file.
        where: the file and the line, for messages.
        classes: how many there are; None when nobody says.
        form: what a line should be, for the remedy.

    Raises:
        UserError: it is no whole number, or there is no such class.
    """
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"{where}: the class {text!r} is no whole number", f"Write each line as {form}.")
    number = int(text)
    if classes is not None and number >= classes:
        raise UserError(f"{where}: the class {number} is none of 0 to {classes - 1}", f"Write each line as {form}.")
    return number
