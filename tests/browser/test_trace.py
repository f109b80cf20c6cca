"""The trace on a run's page, in a browser: it is drawn, and answers to pointer and keys."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from mlharness.reporting.page import make_page, write_page
from mlharness.reporting.run import run_page
from mlharness.reporting.trace.sections import trace_sections
from tests.browser.conftest import Opened, Show
from tests.traces import NETWORK, Delay, Layer, Primitive, make_run
from tests.unit.reporting.reading import HOSTILE

PIXELS = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set(), all = new Uint32Array(data.buffer);
    let drawn = 0;
    for (const pixel of all) { colours.add(pixel); drawn += (pixel >>> 24) > 0; }
    return [colours.size, drawn / all.length];
}"""
CORNER = """canvas => {
    const one = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    one.drawImage(canvas, 1, 1, 1, 1, 0, 0, 1, 1);
    return [...one.getImageData(0, 0, 1, 1).data];
}"""
SLOW, TAKEN_NS = 7, 3_000_000


def make(folder: Path, run: Path) -> Path:
    """A page of nothing but the trace."""
    return write_page(folder / "trace.html", make_page("trace", trace_sections(run), kind="run"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of 120 queries, one of which was preempted."""
    folder = tmp_path_factory.mktemp("trace")
    return make(folder, make_run(folder, queries=120, delays={SLOW: Delay(preempted=TAKEN_NS)}))


@pytest.fixture
def opened(show: Show, made: Path) -> Page:
    """That page, drawn."""
    return drawn(show(made))


@pytest.fixture
def timeline(opened: Page) -> Locator:
    """The timeline."""
    return opened.locator("#timeline-view canvas.main")


@pytest.fixture
def flame(opened: Page) -> Locator:
    """The flame graph."""
    return opened.locator("#flame-view canvas.main")


def drawn(shown: Opened) -> Page:
    """Wait until both are drawn."""
    for view in ("timeline", "flame"):
        shown.page.wait_for_selector(f"#{view}-view canvas.main[data-drawn]")
    return shown.page


def window_of(timeline: Locator) -> tuple[float, float]:
    """What is in view, in nanoseconds."""
    found = timeline.evaluate("canvas => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => "
                              "done([canvas.dataset.from, canvas.dataset.to]))))")  # fmt: skip
    return float(found[0]), float(found[1])


def centre(canvas: Locator) -> tuple[float, float]:
    """The middle of a canvas on the screen, which is made to be in view."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + min(box["height"], 300) / 2


def hover_until(page: Page, canvas: Locator, text: str, across: float = 0.5) -> str:
    """Move down a canvas, so far from its left edge, until the tooltip begins with a text; returns all of it."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    tip = page.locator(".trace-tip")
    for y in range(4, int(box["height"]), 8):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + y)
        if tip.is_visible() and tip.inner_text().startswith(text):
            return tip.inner_text()
    raise AssertionError(f"nothing on the canvas says {text}")


@pytest.mark.parametrize("view", ["timeline", "flame"])
def test_something_is_drawn(opened: Page, view: str) -> None:
    colours, share = opened.locator(f"#{view}-view canvas.main").evaluate(PIXELS)
    assert colours > 20
    assert share > 0.2


def test_the_page_says_how_much_is_shown(opened: Page) -> None:
    assert "12 of 120 queries are drawn" in opened.locator("#timeline").inner_text()


def test_buttons_keys_and_the_wheel_zoom_and_reset_shows_all(opened: Page, timeline: Locator) -> None:
    start, end = window_of(timeline)
    assert start < 0 < 1_035_000 < end
    opened.locator("#timeline-view [data-do=in]").click()
    first = window_of(timeline)
    assert first[1] - first[0] == pytest.approx((end - start) / 2)
    timeline.press("w")
    second = window_of(timeline)
    assert second[1] - second[0] == pytest.approx(0.6 * (first[1] - first[0]))
    opened.mouse.move(*centre(timeline))
    opened.keyboard.down("Control")
    opened.mouse.wheel(0, -200)
    opened.keyboard.up("Control")
    third = window_of(timeline)
    assert third[1] - third[0] < 0.7 * (second[1] - second[0])
    opened.locator("#timeline-view [data-do=all]").click()
    assert window_of(timeline) == (start, end)


def test_dragging_moves_and_dragging_on_the_scale_selects(opened: Page, timeline: Locator) -> None:
    timeline.press("w")
    before = window_of(timeline)
    x, y = centre(timeline)
    opened.mouse.move(x, y)
    opened.mouse.down()
    opened.mouse.move(x - 100, y, steps=3)
    opened.mouse.up()
    after = window_of(timeline)
    assert after[0] > before[0]
    assert after[1] - after[0] == pytest.approx(before[1] - before[0])
    box = timeline.bounding_box()
    assert box is not None
    opened.mouse.move(x, box["y"] + 8)
    opened.mouse.down()
    opened.mouse.move(x + 50, box["y"] + 8, steps=3)
    opened.mouse.up()
    selected = window_of(timeline)
    assert selected[1] - selected[0] < 0.1 * (after[1] - after[0])


def test_what_is_under_the_pointer_is_told_with_type_shapes_and_time(opened: Page, timeline: Locator) -> None:
    told = hover_until(opened, timeline, "conv2", 0.7)
    assert "Conv\n" in told
    assert "300 µs" in told
    assert "float32[1,16,32,32]" in told
    assert "31.6 % of model_run" in told


def test_another_query_is_shown_by_its_button(opened: Page, timeline: Locator) -> None:
    opened.get_by_role("button", name="Slowest query").click()
    assert f"query {SLOW}, 4.04 ms long" in opened.locator("#timeline-view .window-told").inner_text()
    assert window_of(timeline)[1] > 4_000_000
    assert "3.00 ms" in hover_until(opened, timeline, "preempted")


def test_keys_go_from_span_to_span(opened: Page, timeline: Locator) -> None:
    said = opened.locator("#timeline-view .selected")
    timeline.press("ArrowRight")
    assert said.inner_text().startswith("query: application")
    for _ in range(4):
        timeline.press("ArrowDown")
    assert said.inner_text().startswith("conv1: framework, Conv, 400 µs")
    timeline.press("ArrowRight")
    assert said.inner_text().startswith("relu1")
    timeline.press("ArrowUp")
    assert said.inner_text().startswith("model_run")
    timeline.press("ArrowDown")
    timeline.press("Enter")
    start, end = window_of(timeline)
    assert end - start == pytest.approx(1.16 * 400_000)
    timeline.press("Escape")
    assert said.inner_text() == ""


def test_the_spans_in_view_are_a_table_for_those_who_do_not_see_them(opened: Page, timeline: Locator) -> None:
    details = opened.locator("#timeline-view .as-table")
    details.locator("summary").click()
    table = details.locator("table")
    table.wait_for()
    assert "the 20 longest of 20 spans in view" in table.inner_text()
    assert table.locator("tbody tr").first.inner_text().split("\t")[0] == "query"


def test_a_click_on_the_flame_graph_zooms_and_escape_resets(opened: Page, flame: Locator) -> None:
    assert flame.get_attribute("data-focus") == "everything"
    assert "conv1\n" in hover_until(opened, flame, "conv1", 0.2) + "\n"
    opened.mouse.down()
    opened.mouse.up()
    expect(flame).to_have_attribute("data-focus", re.compile("^conv1"))
    flame.press("Escape")
    expect(flame).to_have_attribute("data-focus", "everything")


def test_the_flame_graph_finds_names_and_counts_nothing_twice(opened: Page, flame: Locator) -> None:
    opened.locator("#flame-view input").fill("conv")
    said = opened.locator("#flame-view .found").inner_text()
    assert said.startswith("5 found")
    # conv1 with what is inside of it, and conv2: 700 of 1035 us of most queries, 700 of 4035 of one
    assert "66.0 % of the time" in said


def test_keys_go_from_box_to_box(opened: Page, flame: Locator) -> None:
    for _ in range(6):
        flame.press("ArrowDown")
    said = opened.locator("#flame-view .selected")
    assert said.inner_text().startswith("conv1: framework, Conv")
    flame.press("ArrowRight")
    assert said.inner_text().startswith("relu1")


def test_layers_sort_and_are_filtered(opened: Page) -> None:
    def names() -> list[str]:
        return opened.locator("table.layers tbody tr:not([hidden]) td.name").all_inner_texts()

    table = opened.locator("table.layers")
    assert names() == [layer.name for layer in NETWORK]
    table.get_by_role("button", name="Median").click()
    assert names()[:3] == ["conv1", "conv2", "relu1"]
    table.get_by_role("button", name="Median").click()
    assert names()[-1] == "conv1"
    opened.locator("#layers-filter").fill("CONV")
    assert sorted(names()) == ["conv1", "conv2"]


def test_a_layers_name_leads_to_the_flame_graph(opened: Page) -> None:
    opened.locator("table.layers").get_by_role("button", name="pool").click()
    assert opened.locator("#flame-view input").input_value() == "pool"
    assert opened.locator("#flame-view .found").inner_text() == "1 found, 4.72 % of the time"


def test_dark_and_print_are_drawn_anew(opened: Page) -> None:
    canvas = opened.locator("#timeline-view canvas.main")
    light = canvas.evaluate(CORNER)
    opened.emulate_media(color_scheme="dark")
    assert canvas.evaluate(CORNER) != light
    opened.emulate_media(media="print", color_scheme="dark")
    assert canvas.evaluate(CORNER) == light


def test_hostile_names_are_drawn_as_text(show: Show, tmp_path: Path) -> None:
    layers = [Layer(HOSTILE, HOSTILE, 900_000, primitives=[Primitive(HOSTILE, HOSTILE, 800_000, HOSTILE)])]
    page = drawn(show(make(tmp_path, make_run(tmp_path, layers=layers))))
    hover_until(page, page.locator("#timeline-view canvas.main"), HOSTILE[:20])
    hover_until(page, page.locator("#flame-view canvas.main"), HOSTILE[:20])
    page.locator("#timeline-view .as-table summary").click()
    page.locator("#timeline-view .as-table table").wait_for()
    assert page.locator("img").count() == 0


@pytest.mark.alone
def test_a_million_spans_are_a_page_that_opens_in_three_seconds(show: Show, tmp_path: Path) -> None:
    """Of a deep network, so that table, flame graph and timeline are as large as they can be. It is the processor's
    time that is held against the limit, since the clock's would be the neighbours', too."""
    layers = [replace(NETWORK[place % len(NETWORK)], name=f"layer{place}") for place in range(2_000)]
    run = make_run(tmp_path, queries=20, layers=layers, times_over=12)
    path = write_page(tmp_path / "report.html", run_page(run))
    size = path.stat().st_size
    shown = show(path)
    page = drawn(shown)
    shown.drawn()
    moment_ms = page.evaluate("() => performance.now()")
    spent_s = processor_s(page)
    print(f"a million spans: {size / 1e6:.2f} MB, drawn after {moment_ms:.0f} ms and {spent_s:.2f} s of the processor")
    assert re.search(r"of the trace's 1,0\d\d,\d\d\d spans", page.locator("#timeline").inner_text())
    assert size < 15_000_000
    assert spent_s < 3


def processor_s(page: Page) -> float:
    """What the page's process has used."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["ProcessTime"])
