"""What a page is made of: headings, remarks and tables, in words that are ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """Opens a part of the page."""

    text: str


@dataclass(frozen=True)
class Remark:
    """A line of its own."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under headings, as many cells in each; the title stands above."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


Block = Heading | Remark | Table
