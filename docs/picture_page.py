"""Makes a picture of a page: ``python docs/picture_page.py PAGE.html FILE.png``, where Playwright and Chromium are.

The pictures of reporting.md are of real runs, made by this command:

    mlh bench null --scenario Server --target-qps 500 --target-latency 0.001 --duration 2

the comparison of case-two-systems.md, and a sweep of efficientnet-lite0, digits-cnn and a name that is misspelt, over
three batch sizes and two scenarios.

That of ui.md is of ``mlh ui`` over these and a few other runs, two of them chosen: ``http://127.0.0.1:8642/?run=...``.
Those of the case studies are pages of the runs that they tell of.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright


def main() -> None:
    """Open the page, wait until its charts are drawn, and write its upper part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", help="A file, or an address.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=(1180, 1000), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--at", default="", metavar="SECTION", help="Begin at the section with this id.")
    parser.add_argument("--whole", action="store_true", help="All of the page, however long it is.")
    take(parser.parse_args())


def take(chosen: argparse.Namespace) -> None:
    """Write the picture."""
    width, height = chosen.size
    program = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(color_scheme=chosen.scheme, viewport={"width": width, "height": height})
        page.goto(chosen.page if "://" in chosen.page else Path(chosen.page).resolve().as_uri())
        page.evaluate("() => mlh.drawn")
        if chosen.at:
            page.evaluate("(id) => document.getElementById(id).scrollIntoView()", chosen.at)
        page.screenshot(path=chosen.picture, full_page=chosen.whole)
        browser.close()


if __name__ == "__main__":
    main()
