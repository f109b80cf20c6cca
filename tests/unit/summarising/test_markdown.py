"""Markdown: what stands on the page, and that no name is markup."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt  # rich brings it

from mlharness.summarising.blocks import Block, Heading, Remark, Table
from mlharness.summarising.markdown import MOST_ROWS, escape, lines, to_markdown
from mlharness.summarising.summary import Case
from tests.unit.summarising.making import HOSTILE, a_summary, every_outcome


def test_what_is_wrong_comes_first() -> None:
    page = to_markdown(a_summary(*every_outcome(), blocks=[Heading("Runs"), Table(("A", "B"), [("1", "2")], "All")]))
    assert page == (
        "## mlh bench null: ERROR\n\n"
        "|  | CASE | WHY |\n| --- | --- | --- |\n"
        "| FAILED | too short | min duration: 1 s of 2 s |\n"
        "| ERROR | broken | boom |\n\n"
        "### Runs\n\n"
        "All\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n"
    )


def test_a_good_page_is_short() -> None:
    assert to_markdown(a_summary(Case("s", "a"))) == "## mlh bench null: passed\n"


def test_blocks_do_not_run_into_each_other() -> None:
    blocks: list[Block] = [Remark("one"), Remark("two"), Table(("A",), []), Table(("B",), []), Heading("C")]
    assert list(lines(blocks)) == ["- one", "- two", "", "| A |", "| --- |", "", "| B |", "| --- |", "", "### C"]


def test_whatever_is_rendered_is_text() -> None:
    case = Case(HOSTILE, HOSTILE, "failed", HOSTILE)
    page = to_markdown(a_summary(case, blocks=[Heading(HOSTILE), Remark(HOSTILE), Table((HOSTILE,), [(HOSTILE,)])]))
    inlines = [
        token for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page) if token.children
    ]
    spans = [child for token in inlines for child in token.children or ()]
    assert {span.content for span in spans if span.type != "text"} == {"<br>"}
    words = {"".join(span.content for span in token.children or ()) for token in inlines}
    assert len(words) == 6, "the page's own: a heading, two of a table, the outcome; and these in one line or in two"
    assert sum(word.startswith("<b>|evil|</b> [x](javascript:1) `a` *b* _c_ &lt; ]]>") for word in words) == 2


def test_hostile_words_are_text_in_one_cell() -> None:
    case = Case(HOSTILE, HOSTILE, "failed", HOSTILE)
    page = to_markdown(a_summary(case, blocks=[Heading(HOSTILE), Remark(HOSTILE), Table((HOSTILE,), [(HOSTILE,)])]))
    plain = re.sub(r"\\[\\|<>`*_~$\[\]]", "", page)
    assert set("<>`*_[]\x00\x1b\x07\r\u202e") & set(plain.replace("<br>", "")) == set()
    assert {line.count("|") for line in plain.splitlines() if line.startswith("|")} == {2, 4}
    assert sum(line.startswith(("#", "-", "|")) or not line for line in plain.splitlines()) == len(plain.splitlines())
    assert page.encode("utf-8")


def test_lines_of_a_cell_stay_apart() -> None:
    assert "| a<br>b |" in to_markdown(a_summary(blocks=[Table(("X",), [("a\nb",)])]))


@pytest.mark.parametrize(("text", "shown"), [("a  b\nc", "a b c"), ("&lt;", "&amp;lt;"), ("\x1b", "\\\\x1b")])
def test_escapes(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_a_page_stays_below_what_github_takes() -> None:
    cases = [Case("s", f"{number} {'x' * 100}", "error", "y" * 10_000) for number in range(10_000)]
    rows = [(case.name, case.name) for case in cases]
    page = to_markdown(a_summary(*cases, blocks=[Table(("A", "B"), rows)]))
    assert len(page.encode()) < 1 << 20
    assert page.count(f"{10_000 - MOST_ROWS:,} more rows are left out here.") == 2
