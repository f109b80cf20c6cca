"""Reports in a browser: they open from disk, draw their charts, sort, zoom, follow the scheme, and load nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness.reporting.page import write_page
from mlharness.reporting.sweep import sweep_page
from mlharness.sweeping.running import Hearing, run_all
from tests.browser import pages
from tests.browser.conftest import Show
from tests.unit.reporting.reading import HOSTILE
from tests.unit.sweeping.conftest import Begin, begun, keep, made_up, write

__all__ = ["begun", "write"]  # fixtures


@pytest.fixture(scope="module")
def run_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run."""
    return pages.run(tmp_path_factory.mktemp("run"))


def test_a_run_opens_from_disk_and_draws_its_charts(show: Show, run_report: Path) -> None:
    shown = show(run_report)
    assert shown.drawn() == 7
    assert shown.page.locator("h1").inner_text() == "tiny"
    # bars, points and lines, and not axes alone
    marks = "figure => figure.querySelectorAll('g[aria-roledescription], .mark-rect path, .mark-symbol path').length"
    assert min(shown.page.locator("figure.chart").nth(n).evaluate(marks) for n in range(7)) > 0


def test_a_comparison_and_a_sweep_open_from_disk(show: Show, tmp_path: Path, begun: Begin) -> None:
    assert show(pages.comparison(tmp_path)).drawn() == 4
    directory = begun(frameworks=["x", "y"], batch_sizes=[1, 4], scenarios=["Offline", "SingleStream"])
    accuracy = {"metric": "top1", "unit": "%", "target": None, "passed": None}

    def make(place: Any, unit: Any, earlier: Any) -> Any:
        found = {**accuracy, "value": 70.0 + len(unit.cell.id) % 7}
        return keep(place, made_up(place, unit, accuracy=found))

    run_all(directory, make, Hearing())
    assert show(write_page(directory.path / "report.html", sweep_page(directory))).drawn() == 6


def test_tables_sort_by_pointer_and_by_keyboard(show: Show, run_report: Path) -> None:
    shown = show(run_report)
    table = shown.page.locator("table", has_text="Queries a second")

    def rates() -> list[str]:
        return [cell.split()[0] for cell in table.locator("tbody td:nth-child(3)").all_inner_texts()]

    def ways() -> Any:
        read = "cells => cells.map(cell => cell.getAttribute('aria-sort'))"
        return table.locator("thead th[aria-sort]").evaluate_all(read)

    assert (rates(), ways()) == (["51", "52", "53", "54", "55"], [])
    heading = table.get_by_role("button", name="Queries a second")
    heading.click()
    assert (rates(), ways()) == (["55", "54", "53", "52", "51"], ["descending"])
    heading.press("Enter")
    assert (rates(), ways()) == (["51", "52", "53", "54", "55"], ["ascending"])
    heading.press("Tab")
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Space")  # the heading after the next one: latencies, by their number and not their text
    cells = table.locator("tbody td:nth-child(5)").all_inner_texts()
    assert cells == ["20.000 ms", "16.000 ms", "12.000 ms", "8.000 ms", "4.000 ms"]
    assert ways() == ["descending"]


def test_charts_zoom_by_button_and_by_wheel(show: Show, run_report: Path) -> None:
    shown = show(run_report)
    shown.drawn()
    figure = shown.page.locator("figure.chart", has=shown.page.get_by_role("button", name="Zoom in")).first

    def domain() -> Any:
        return figure.evaluate("figure => figure.view.scale('x').domain()")

    whole = domain()
    figure.get_by_role("button", name="Zoom in").click()
    near = domain()
    assert near[1] - near[0] == pytest.approx((whole[1] - whole[0]) / 2)
    assert sum(near) == pytest.approx(sum(whole))
    figure.get_by_role("button", name="Zoom out").press("Enter")
    assert domain() == pytest.approx(whole)
    figure.locator("svg").hover()
    shown.page.keyboard.down("Shift")
    shown.page.mouse.wheel(0, -300)
    shown.page.keyboard.up("Shift")
    narrower = "([figure, span]) => { const [a, b] = figure.view.scale('x').domain(); return b - a < span; }"
    shown.page.wait_for_function(narrower, arg=[figure.element_handle(), whole[1] - whole[0]])
    figure.get_by_role("button", name="Show all").click()
    assert domain() == pytest.approx(whole)


CONTRAST = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((n) => n / 255);
  const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = (text) => { const [r, g, b] = numbers(text).map(linear); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const colour = (element, name) => getComputedStyle(element)[name];
  const back = light(colour(document.querySelector("section"), "backgroundColor"));
  const found = [...document.querySelectorAll("h2, dd, dt, td, th, figcaption, .muted, .chart svg text, .zoom button")];
  const ratios = found.map((element) => light(colour(element, element.closest("svg") ? "fill" : "color")))
    .map((front) => (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05));
  return { back, least: Math.min(...ratios), texts: ratios.length };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_charts_can_be_read_in_both_schemes(show: Show, run_report: Path, scheme: str) -> None:
    shown = show(run_report, scheme=scheme)
    shown.drawn()
    found = shown.value(CONTRAST)
    assert (found["back"] > 0.5) == (scheme == "light")
    assert found["texts"] > 100
    assert found["least"] >= 4.5  # what WCAG 2 asks for (AA)


def test_a_dark_page_prints_on_white(show: Show, run_report: Path) -> None:
    shown = show(run_report, scheme="dark")
    shown.drawn()
    shown.page.emulate_media(media="print", color_scheme="dark")
    found = shown.value(CONTRAST)
    assert found["back"] > 0.9
    assert found["least"] >= 4.5
    assert shown.page.locator(".contents").is_hidden()
    assert shown.page.locator(".zoom").first.is_hidden()
    assert shown.page.pdf(format="A4").startswith(b"%PDF")


def test_nothing_is_wider_than_a_telephone(show: Show, run_report: Path) -> None:
    shown = show(run_report, size=(360, 740))
    shown.drawn()
    assert shown.value("() => document.documentElement.scrollWidth") <= 360


def test_a_hostile_name_stays_a_name(show: Show, tmp_path: Path) -> None:
    shown = show(pages.run(tmp_path, HOSTILE))
    assert shown.drawn() == 7
    assert shown.page.locator("h1").text_content() == HOSTILE
    assert shown.page.locator("img").count() == 0
    assert shown.page.title().startswith(" ".join(HOSTILE.split())[:40])


def test_the_policy_lets_nothing_out_and_nothing_in(show: Show, run_report: Path) -> None:
    shown = show(run_report, quiet=False)
    shown.value("""() => {
      const script = document.createElement("script");
      script.textContent = "window.injected = true;"; document.body.append(script);
      const image = document.createElement("img"); image.src = "http://127.0.0.1:9/x.png"; document.body.append(image);
      const link = document.createElement("div"); link.innerHTML = "<p onclick='window.injected = true'>x</p>";
      document.body.append(link); link.firstChild.click();
    }""")
    failed = shown.value("() => fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)")
    assert failed == "TypeError"
    assert shown.value("() => window.injected") is None
    assert shown.answers == []
    assert len([line for line in shown.told if "Content Security Policy" in line]) >= 4
