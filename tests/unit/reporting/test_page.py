"""The frame of pages: what is put on them stays what it is, and nothing is loaded or run that is not theirs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from mlharness.errors import UserError
from mlharness.reporting.charts import library, make_chart, zoomable
from mlharness.reporting.page import Cell, Column, Section, make_page, make_table, write_page
from mlharness.reporting.rendering import embed_json, render, safe_json
from tests.unit.reporting.reading import HOSTILE, read

V5 = "https://vega.github.io/schema/vega-lite/v5.json"
CHART = {"$schema": V5, "background": "white", "mark": "point", "data": {"values": [{"x": HOSTILE}]},
         "encoding": {"x": {"field": "x"}}, "params": [zoomable("x")]}  # fmt: skip


@pytest.mark.parametrize("value", [HOSTILE, "</script>", "<!--<script>", "\u2028\u2029", "\ud800", {"a": [1.5, None]}])
def test_data_is_read_back_as_it_was_and_is_nothing_else(value: object) -> None:
    text = safe_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&") & set(text)
    page = read(make_page("title", [Section("Data", embed_json("found", value))]))
    assert page.data == [value]
    assert {"type": "application/json", "id": "found"} in page.named("script")


def test_numbers_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed_json("found", float("nan"))


def test_titles_and_cells_are_text() -> None:
    table = make_table([Column(HOSTILE, told=HOSTILE)], [[Cell(HOSTILE, HOSTILE, HOSTILE)], [HOSTILE]], HOSTILE)
    page = read(make_page(HOSTILE, [Section("One", table), Section(HOSTILE, Markup(), anchor="two")]))
    assert page.rows == [[HOSTILE], [HOSTILE], [HOSTILE]]
    assert page.text.count(HOSTILE) == 8  # title, heading, contents, section's heading, caption, and the three cells
    assert page.titles == ["one", "two"]


def test_a_cell_sorts_by_its_value() -> None:
    page = read(make_page("t", [Section("T", make_table([Column("n", True)], [[Cell("1.5 ms", 1500)], ["none"]]))]))
    assert page.named("td") == [{"class": "figure ", "data-sort": "1500"}, {"class": "figure "}]
    assert [one["class"] for one in page.named("table")] == ["sortable "]


def test_the_chart_library_is_there_once_and_only_for_charts() -> None:
    without = read(make_page("t", [Section("Words", Markup("<p>none</p>"))]))
    page = read(make_page("t", [Section("A", make_chart(CHART, "a")), Section("B", make_chart(CHART, "b"))]))
    assert [script == library() for script in page.scripts] == [True, False]
    assert len(without.scripts) == 1
    assert "vegaEmbed" in library()
    assert "</script" not in library().lower()


def test_a_chart_keeps_its_data_and_leaves_colours_to_the_page() -> None:
    page = read(make_page("t", [Section("A", make_chart(CHART, HOSTILE, HOSTILE))]))
    assert page.charts == [{key: value for key, value in CHART.items() if key not in ("$schema", "background")}]
    assert page.named("div")[-1]["aria-label"] == HOSTILE
    assert HOSTILE in page.text


def test_scripts_and_styles_of_sections_are_there_once() -> None:
    sections = [Section(name, Markup(), scripts=("let own = 1;",), styles=("p { color: red; }",)) for name in "ab"]
    text = make_page("t", sections)
    assert [script for script in read(text).scripts if "let own" in script] == ["let own = 1;"]
    assert text.count("p { color: red; }") == 1


def test_without_the_library_a_page_with_charts_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    library.cache_clear()
    with pytest.raises(UserError, match="needs vl-convert-python") as caught:
        make_page("t", [Section("A", make_chart(CHART, "a"))])
    assert "pip install 'mlharness[plots]'" in caught.value.remedy
    assert read(make_page("t", [])).titles == []


def test_a_name_that_a_template_misses_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("note.html", kind="warn")


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.html", "half a pair: \ud800")
    assert path.read_text("utf-8") == "half a pair: \\ud800"
    with pytest.raises(UserError, match=r"cannot write .*No such file or directory") as caught:
        write_page(tmp_path / "missing" / "page.html", "text")
    assert "-o FILE" in caught.value.remedy
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_page(tmp_path / "folder", "text")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "page.html"]
