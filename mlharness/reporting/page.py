"""What all pages share: the frame, its style and scripts, and safe ways to put text, data, tables and charts on it.

A page is one file. It loads nothing (its Content-Security-Policy forbids it) and runs no script but those whose hashes
the policy names. To add to it::

    Section("Trace", render("trace.html", spans=spans) + embed_json("spans", spans), scripts=(asset("trace.js"),))

- :class:`Section` is a part with a heading. ``scripts`` and ``styles`` are the project's own JavaScript and CSS, never
  text from a run; each text is put on the page once, however many sections ask for it. A ``<script>`` or an ``onclick``
  within ``html`` does not run: the policy refuses it.
- ``render`` (``rendering.py``) makes HTML of a template in ``templates/``, and escapes whatever is put into it.
- ``embed_json`` (``rendering.py``) puts data on the page; a script reads it by ``mlh.data(identifier)``.
- :func:`make_table` makes a table that sorts by its headings.
- ``make_chart`` (``charts.py``) makes a chart of a Vega-Lite document.
- :func:`make_page` makes the page of title and sections, :func:`write_page` a file of it.
- ``run_page`` (``run.py``) takes more sections for the page of a run.

In JavaScript, ``mlh.sortable(table)`` and ``mlh.draw(figure)`` serve tables and charts that a script adds later, and
``mlh.drawn`` is a promise that all charts are drawn.

Colours are the variables of ``templates/page.css``, which change with light, dark and print: ``--text``, ``--muted``,
``--line``, ``--surface``, ``--raised``, ``--accent``, ``--good``, ``--warn``, ``--bad``, and ``--c1`` to ``--c8`` for
things that have to be told apart.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from mlharness.errors import UserError
from mlharness.reporting.charts import MARK, library
from mlharness.reporting.rendering import asset, render


@dataclass(frozen=True)
class Section:
    """One part of a page.

    ``title`` is plain text. ``html`` is safe HTML, as :func:`render` gives it. ``anchor`` is its id on the page, by
    which links and the contents find it; made of the title when empty. ``scripts`` run at the end of the page, in
    order, after the chart library and the page's own.
    """

    title: str
    html: Markup
    anchor: str = ""
    scripts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The anchor, or one made of the title."""
        return self.anchor or re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is shown, what it sorts by (None: the text), a tooltip, and classes of CSS."""

    text: str | Markup
    sort: float | str | None = None
    title: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its heading, whether it holds figures (which stand to the right), and a tooltip."""

    title: str
    figures: bool = False
    told: str = ""


def make_table(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell | str]], caption: str = "", kind: str = ""
) -> Markup:
    """A table that sorts by any heading. ``kind`` are classes of CSS for the whole table."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    return render("table.html", columns=columns, rows=cells, caption=caption, kind=kind)


def make_page(
    title: str, sections: Sequence[Section], *, header: Markup | str = "", kind: str = "", template: str = "page.html"
) -> str:
    """The text of a whole page.

    Args:
        title: of the document, plain text.
        sections: in order; each is named in the contents.
        header: what stands above them; the title when empty.
        kind: the word beside the project's name, such as ``run``.
        template: one that extends ``page.html``, for a page with a frame of its own.

    Raises:
        UserError: there is a chart on it, and the extra that brings the chart library is not installed.
    """
    drawn = any(MARK in section.html for section in sections)
    own = [library()] if drawn else []
    scripts = _once([*own, asset("page.js"), *(text for section in sections for text in section.scripts)])
    styles = _once([asset("page.css"), *(text for section in sections for text in section.styles)])
    page = render(
        template,
        title=title,
        header=header,
        kind=kind,
        sections=sections,
        policy=policy(scripts),
        scripts=[Markup(text) for text in scripts],  # noqa: S704  # the project's own
        styles=[Markup(text) for text in styles],  # noqa: S704
    )
    return str(page)  # the whole is text, to which nothing is added


def policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy of a page with these inline scripts: nothing is loaded, and nothing else runs."""
    hashes = " ".join(f"'sha256-{digest(text)}'" for text in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    """The base64 of a script's SHA-256, as a policy names it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def write_page(path: Path, text: str) -> Path:
    """Write a page whole, or not at all. Raises UserError when it cannot be written."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(text, "utf-8", errors="backslashreplace")  # a name may hold half a surrogate pair
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror}", "Name another place with -o FILE.") from error
    return path


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
