"""``mlh ui`` in a browser: filter, choose, compare, open a report; also without JavaScript, and with a token."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import WIDE, Opened, new_window
from tests.served import Served, serving
from tests.unit.store.making import write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = "<img src=x onerror=alert(1)>\"'"
RUNS = [f"2026030{number}T100000Z-tiny-Offline-aaaaa{number}" for number in range(1, 6)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over five runs of two plans, one of them invalid, with a hostile label on another."""
    data = tmp_path_factory.mktemp("data")
    for number, run_id in enumerate(RUNS, start=1):
        changes: dict[str, Any] = {
            "started": f"2026-03-0{number}T10:00:00.000+00:00",
            "plan_sha256": "ab"[number % 2] * 64,
            "status": "invalid" if number == 5 else "valid",
            "metric.value": 100.0 + number,
            "labels": {HOSTILE: HOSTILE} if number == 1 else {},
        }
        write_run(data / "runs", run_id, changes)
    variables = {name: value for name, value in os.environ.items() if name != "MLH_STORE"}
    with serving(data, variables) as found:
        yield found


@contextmanager
def window(browser: Browser, size: tuple[int, int] = WIDE, **how: Any) -> Iterator[Opened]:
    """A window of its own; in the end nothing was wrong in it, and nothing was asked of anybody else."""
    with new_window(browser, size, **how) as found:
        yield found
        assert found.told == []
        assert [url for url in found.requests if not url.startswith(("data:", "http://127.0.0.1:"))] == []


def test_filter_choose_compare_and_open_a_report(browser: Browser, served: Served) -> None:
    with window(browser) as shown:
        page = shown.page
        page.goto(served.url)
        assert page.locator("h1").inner_text() == "5 runs"
        page.get_by_label("Model").fill("ti*")
        page.get_by_label("Model").press("Enter")
        page.wait_for_url("**/?model=ti*")
        page.get_by_label("Verdict").select_option("valid")
        page.wait_for_url("**/?model=ti*&status=valid")
        assert page.locator("h1").inner_text() == "4 runs"

        page.get_by_role("button", name="Figure").click()
        page.wait_for_url("**sort=-figure")
        figures = page.locator("tbody td.main").all_inner_texts()
        assert figures == ["104.00 samples/s", "103.00 samples/s", "102.00 samples/s", "101.00 samples/s"]

        compare = page.get_by_role("button", name="Compare")
        assert compare.is_disabled()
        for run_id in RUNS[:2]:
            page.get_by_label(f"Choose {run_id}").check()
        assert page.locator("#picked").inner_text() == "2"
        compare.click()
        page.wait_for_url(f"**/compare?run={RUNS[1]}&run={RUNS[0]}")
        assert shown.drawn() > 0
        assert "NOT ENOUGH DATA" in page.locator("main").inner_text().upper()

        page.locator("nav.bar").get_by_role("link", name="Runs").click()
        page.locator("tbody .model a").first.click()
        page.wait_for_url(f"**/runs/{RUNS[4]}")
        assert page.locator("h1").inner_text() == "tiny"
        assert shown.drawn() > 0


def test_what_is_chosen_stays_so_while_one_looks_for_more(browser: Browser, served: Served) -> None:
    with window(browser) as shown:
        page = shown.page
        page.goto(served.url)
        page.get_by_label(f"Choose {RUNS[0]}").check()
        page.get_by_label("Verdict").select_option("invalid")
        page.wait_for_url("**status=invalid**")
        assert page.locator("#picked").inner_text() == "1"
        page.get_by_label("Choose all runs on this page").check()
        page.get_by_role("button", name="Compare").click()
        page.wait_for_url(f"**/compare?run={RUNS[4]}&run={RUNS[0]}")


def test_it_works_without_javascript(browser: Browser, served: Served) -> None:
    with window(browser, java_script_enabled=False) as shown:
        page = shown.page
        page.goto(served.url)
        page.get_by_label("Verdict").select_option("valid")
        page.get_by_role("button", name="Filter").click()
        assert page.locator("h1").inner_text() == "4 runs"
        page.get_by_role("button", name="Started").click()
        assert page.locator("tbody .model a").first.get_attribute("title") == RUNS[0]
        for run_id in RUNS[:2]:
            page.get_by_label(f"Choose {run_id}").check()
        page.get_by_role("button", name="Compare").click()
        assert re.match(rf".*/compare\?.*run={RUNS[0]}&run={RUNS[1]}$", page.url)
        assert RUNS[0] in page.locator("h1").inner_text()


def test_a_narrow_window_holds_all_without_scrolling_sideways(browser: Browser, served: Served) -> None:
    with window(browser, size=(390, 800)) as shown:
        for path in ("", f"runs/{RUNS[0]}", f"compare?run={RUNS[0]}&run={RUNS[1]}", "sweeps", "nothing"):
            shown.page.goto(served.url + path)
            assert shown.value("() => document.documentElement.scrollWidth") <= 390, path
        shown.told.clear()  # of the page that is not there


def test_a_token_is_asked_for_once(browser: Browser, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", RUNS[0])
    variables = {name: value for name, value in os.environ.items() if name != "MLH_STORE"}
    with serving(tmp_path, variables, "--token") as guarded, window(browser) as shown:
        page = shown.page
        without = guarded.url.partition("?")[0]
        page.goto(without)
        assert "This server wants its token." in page.locator("main").inner_text()
        shown.told.clear()  # of the page that was refused
        page.goto(guarded.url)
        page.wait_for_url(without)
        assert page.locator("h1").inner_text() == "1 run"
        assert page.evaluate("() => document.cookie") == ""
