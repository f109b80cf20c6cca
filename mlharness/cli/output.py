"""What a command prints: tables and lines for people, or one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_UNBOUNDED = 100_000
"""Columns of a line that is not for a terminal: nothing is wrapped or cut, so that grep and awk see whole rows."""


_MANY = 200
"""A table with more rows is set without rich in a terminal, too: rich takes a second for a thousand of them."""


@dataclass(frozen=True)
class Output:
    """Where and how a command prints. Made from the shared options by :func:`mlharness.cli.options.output_options`.

    With ``json``, stdout gets one document and nothing else. ``verbose`` counts the ``-v``. ``color`` false means
    ``--no-color``; a terminal's own wishes (NO_COLOR, no terminal at all) are followed anyway.
    """

    json: bool = False
    quiet: bool = False
    verbose: int = 0
    color: bool = True

    def show(self, document: Callable[[], Any], people: Callable[[], None]) -> None:
        """The command's answer: the document with ``--json``, else what ``people`` prints with the other methods."""
        if self.json:
            print_document(document())
        else:
            people()

    def line(self, text: str = "") -> None:
        """A line of the command's answer on stdout; on stderr with ``--json``."""
        if self.json:
            print_error(text)
        else:
            print(printable(text))

    def note(self, text: str) -> None:
        """A line about the work, on stderr; not with ``--quiet``."""
        if not self.quiet:
            print_error(text)

    def warn(self, warnings: Iterable[str]) -> None:
        """A note for each of these warnings."""
        for warning in warnings:
            self.note(f"warning: {warning}")

    def detail(self, text: str, level: int = 1) -> None:
        """A line about the work that only ``-v`` (``level`` 2: ``-vv``) brings out, on stderr."""
        if self.verbose >= level:
            print_error(text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], whole: bool = False) -> None:
        """Rows under headings on stdout; cells wrap in a terminal, and stay on one line elsewhere.

        ``whole`` keeps them on one line in a terminal, too: what is to be copied must not be cut in two.
        """
        cells = [[printable(cell) for cell in row] for row in rows]
        if whole or len(rows) > _MANY or not _is_terminal(sys.stdout):
            print("\n".join(plain_table(columns, cells)))
            return
        from rich.table import Table
        from rich.text import Text

        console = self.console()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in cells:
            table.add_row(*map(Text, row))  # Text, since a plugin's words are no markup
        with console.capture() as captured:
            console.print(table)
        print("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def console(self, stderr: bool = False) -> Console:
        """A rich console on stdout (or stderr) that follows ``--no-color`` and does not interpret markup."""
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        return Console(
            file=stream,
            color_system="auto" if self.color else None,
            width=None if _is_terminal(stream) else _UNBOUNDED,
            markup=False,
            highlight=False,
            emoji=False,
        )


def print_error(text: str) -> None:
    """A line on stderr, behind all that stdout was given: in a log of both, the order holds."""
    with suppress(BrokenPipeError):  # stdout's reader has had enough; stderr's may not
        sys.stdout.flush()
    print(printable(text), file=sys.stderr)


def print_document(document: Any) -> None:
    """One JSON document on stdout; paths become text, a dataclass an object. Raises TypeError for anything else."""
    import msgspec

    try:
        text = msgspec.json.format(msgspec.json.encode(document, enc_hook=_plain), indent=2).decode("utf-8")
    except UnicodeEncodeError:
        # A byte of an argument that is no UTF-8 is half a character here; JSON writes it as Python does, with \u.
        plain = msgspec.to_builtins(document, enc_hook=_plain, str_keys=True)
        text = json.dumps(plain, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")
    print(text)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, two spaces between columns."""
    for line in zip(*map(_filled, zip(columns, *rows, strict=True)), strict=True):
        yield "  ".join(line).replace("\n", " ").rstrip()


def _filled(cells: Sequence[str]) -> list[str]:
    """Cells of one column, made equally wide."""
    if all(map(str.isascii, cells)):
        widths = list(map(len, cells))
    else:
        from rich.cells import cell_len  # knows which characters take two columns

        widths = list(map(cell_len, cells))
    widest = max(widths)
    return [cell + " " * (widest - width) for cell, width in zip(cells, widths, strict=True)]


def printable(text: str) -> str:
    """The text with control characters shown as escapes: a manifest's words cannot steer the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _is_terminal(stream: TextIO) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)())
