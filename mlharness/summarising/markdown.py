"""A summary as Markdown, for pages like that of a GitHub job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from mlharness.summarising.blocks import Block, Heading, Remark, Table
from mlharness.summarising.summary import Case, Summary

MOST_ROWS = 500
"""Rows of a table that are shown: GitHub takes no page of more than 1 MiB."""
LONGEST = 1000
"""Characters of a cell that are shown, for the same reason."""
_SIGNS = re.compile(r"([\\|<>`*_~$\[\]])")
_WORDS = {"passed": "passed", "failed": "FAILED", "error": "ERROR", "skipped": "skipped"}


def to_markdown(summary: Summary) -> str:
    """The whole page, which ends with a line of its own."""
    return "\n".join(_page(summary)) + "\n"


def lines(blocks: Iterable[Block]) -> Iterator[str]:
    """The lines of blocks, with an empty one between those that would otherwise run into each other."""
    for number, (kind, group) in enumerate(groupby(blocks, type)):
        if number:
            yield ""
        for place, block in enumerate(group):
            if place and kind is not Remark:
                yield ""
            yield from _block(block)


def escape(text: str) -> str:
    """Text on one line that is no markup, whatever it holds; control characters are shown as escapes."""
    plain = " ".join(text.split())
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in plain)
    return _SIGNS.sub(r"\\\1", shown.replace("&", "&amp;"))


def _page(summary: Summary) -> Iterator[str]:
    yield f"## {escape(summary.command)}: {_WORDS[summary.outcome]}"
    wrong = [case for case in summary.cases if case.outcome in ("failed", "error")]
    if wrong:
        yield ""
        yield from lines([Table(("", "CASE", "WHY"), [_why(case) for case in wrong])])
    if summary.blocks:
        yield ""
        yield from lines(summary.blocks)


def _why(case: Case) -> tuple[str, str, str]:
    return _WORDS[case.outcome], case.name, case.message


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"### {escape(block.text)}"
    elif isinstance(block, Remark):
        yield f"- {escape(block.text)}"
    else:
        yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield escape(table.title)
        yield ""
    yield _row(map(escape, table.columns))
    yield _row("---" for _ in table.columns)
    yield from (_row(map(_cell, cells)) for cells in table.rows[:MOST_ROWS])
    left: Sequence[Sequence[str]] = table.rows[MOST_ROWS:]
    if left:
        yield ""
        yield f"{len(left):,} more rows are left out here."


def _cell(text: str) -> str:
    """A cell may have several lines."""
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
    return "<br>".join(map(escape, shown.strip().splitlines()))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
