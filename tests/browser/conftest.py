"""Pages in a real browser: the system's Chromium, driven by Playwright, with a profile that is thrown away."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE = (1280, 900)
SECONDS = 60
"""A busy machine is slow; nothing waits for as long as this unless it is broken."""


@dataclass
class Opened:
    """A page in the browser, what it wrote to the console, and all that it asked for."""

    page: Page
    told: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def drawn(self) -> int:
        """Wait until every chart is drawn; how many there are. Fails when one could not be."""
        self.page.evaluate("() => mlh.drawn")
        figures = self.page.locator("figure.chart")
        count = figures.count()
        for place in range(count):
            assert figures.nth(place).get_attribute("data-drawn") == "yes", self.told
            box = figures.nth(place).locator("svg").bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) > 40, box
        return count

    def value(self, expression: str, argument: Any = None) -> Any:
        """What JavaScript gives."""
        return self.page.evaluate(expression, argument)


Show = Callable[..., "Any"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; they are skipped where the system has none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on this system: install Debian's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield found
        found.close()


@pytest.fixture
def show(browser: Browser) -> Iterator[Show]:
    """``show(path, scheme="dark", size=(w, h))`` opens a file; in the end nothing was wrong and nothing was loaded."""
    with ExitStack() as stack:
        yield lambda path, **how: stack.enter_context(_opened(browser, path, **how))


def _answer(route: Route, found: Opened) -> None:
    """Note what would have gone out, and answer it: what the policy refuses never comes here."""
    found.answers.append(route.request.url)
    route.fulfill(status=200, body="", headers={"Access-Control-Allow-Origin": "*"})


@contextmanager
def new_window(browser: Browser, size: tuple[int, int], **how: Any) -> Iterator[Opened]:
    """A window of its own, with an empty page; ``how`` as Playwright's ``new_context`` has it."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **how)
    context.set_default_timeout(1000 * SECONDS)
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.told.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.told.append(f"error: {error}"))
    found.page.on("dialog", lambda dialog: found.told.append(f"dialog: {dialog.message}"))
    found.page.on("request", lambda request: found.requests.append(request.url))
    try:
        yield found
    finally:
        context.close()


@contextmanager
def _opened(
    browser: Browser, path: Path, scheme: Any = "light", size: tuple[int, int] = WIDE, quiet: bool = True
) -> Iterator[Opened]:
    with new_window(browser, size, color_scheme=scheme) as found:
        found.page.context.route(re.compile("^https?:"), lambda route: _answer(route, found))
        found.page.goto(path.as_uri())
        yield found
        if quiet:
            assert found.told == []
            assert [url for url in found.requests if not url.startswith("data:")] == [path.as_uri()]
