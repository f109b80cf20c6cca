"""The list of runs: what it shows, in which order, and what it keeps of a choice."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from werkzeug.test import Client

from mlharness.serving.questions import ROWS
from tests.unit.serving.conftest import Asked, words
from tests.unit.store.making import write_run

NAMES = {"old": "20260301T100000Z-tiny-Offline-aaaaaa", "new": "20260302T100000Z-big-Server-bbbbbb"}


@pytest.fixture
def two(root: Path) -> Path:
    """Two runs that differ in everything that a list shows."""
    write_run(root, NAMES["old"], {"labels": {"who": "ci", "n": "1"}})
    accuracy = {"metric": "top1", "value": 71.25, "unit": "%", "n": 9, "interval": None, "details": {}, "target": 90.0,
                "passed": False}  # fmt: skip
    write_run(
        root, NAMES["new"],
        {"started": "2026-03-02T10:00:00.000+00:00", "labels": {}, "model.name": "big", "framework.name": "torch",
         "framework.version": "2.9", "scenario": "Server", "status": "invalid", "system.host": "rack",
         "rules": "mlperf", "metric.value": 2.5e6, "metric.unit": "ns", "accuracy": accuracy},
    )  # fmt: skip
    return root


def rows(page: str) -> list[str]:
    """The ids of the runs on a page, in order."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [unescape(found) for found in re.findall(r'name="run" value="([^"]*)"', body)]


def test_runs_are_listed_the_latest_first(ask: Asked, two: Path) -> None:
    page = ask.text("/")
    assert rows(page) == [NAMES["new"], NAMES["old"]]
    shown = words(page)
    assert "2 runs" in shown
    assert "2026-03-02 10:00 big bbbbbb Server INVALID 2.500 ms unverified: not verified by MLCommons" in shown, shown
    assert "top1 71.25 % target NOT met torch 2.9 rack" in shown
    assert "2026-03-01 10:00 tiny aaaaaa Offline VALID (quick) 101.50 samples/s" in shown
    assert f'href="/runs/{NAMES["new"]}"' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("model=t*", ["old"]),
        ("model=t*&model=big", ["new", "old"]),
        ("framework=torch==2.*", ["new"]),
        ("host=rack", ["new"]),
        ("status=valid", ["old"]),
        ("scenario=Server", ["new"]),
        ("label=who=ci&label=n", ["old"]),
        ("since=2026-03-02", ["new"]),
        ("until=2026-03-01", ["old"]),
        ("sort=started", ["old", "new"]),
        ("sort=model", ["new", "old"]),
        ("sort=-model", ["old", "new"]),
        ("sort=-accuracy", ["new", "old"]),
        ("sort=accuracy", ["new", "old"]),
    ],
)
def test_filters_and_orders(ask: Asked, two: Path, query: str, found: list[str]) -> None:
    assert rows(ask.text(f"/?{query}")) == [NAMES[name] for name in found]


def test_the_form_holds_what_was_asked(ask: Asked, two: Path) -> None:
    page = ask.text("/?model=t*&status=VALID&label=who=ci&sort=-model&since=2026-01-01")
    assert '<input name="model" value="t*"' in page
    assert '<input name="label" value="who=ci"' in page
    assert "<option selected>valid</option>" in page
    assert '<input type="hidden" name="sort" value="-model">' in page
    assert 'aria-sort="descending"' in page
    assert '<button name="sort" value="model">Model</button>' in page
    assert '<option value="tiny"></option>' in page


def test_a_label_leads_to_all_runs_that_have_it(ask: Asked, two: Path) -> None:
    page = ask.text("/")
    assert rows(ask.text(unescape(re.findall(r'<a class="tag" href="([^"]*)"', page)[0]))) == [NAMES["old"]]


def test_labels_that_mlharness_gives_are_in_a_word(ask: Asked, root: Path) -> None:
    labels = {"sweep": "s", "cell": "c", "repetition": "2", "mlh.series": "abc", "mlh.pair": "7", "who": "ci"}
    write_run(root, NAMES["old"], {"labels": labels})
    page = ask.text("/")
    assert "sweep series who=ci" in words(page)
    assert '<a class="tag" href="/sweeps/s" title="sweep=s, cell=c, repetition=2">sweep</a>' in page
    assert 'title="mlh.series=abc, pair 7">series</a>' in page


def test_thousands_are_shown_by_the_hundred(ask: Asked, root: Path) -> None:
    for number in range(ROWS + 5):
        write_run(root, f"20260301T100000Z-tiny-Offline-{number:06x}")
    page = ask.text("/?page=2")
    assert len(rows(page)) == 5
    assert f"{ROWS + 5} runs {ROWS + 1} to {ROWS + 5} 1 2" in words(page)
    assert page.count('<button name="page" value="2" aria-current="page">2</button>') == 2
    assert len(rows(ask.text("/"))) == ROWS
    assert rows(ask.text("/?page=99")) == rows(page)


def test_what_was_chosen_stays_chosen_on_other_pages(ask: Asked, two: Path) -> None:
    page = ask.text(f"/?model=big&run={NAMES['old']}&run={NAMES['new']}")
    boxes = re.findall(r'<input type="checkbox" name="run" value="([^"]*)"[^>]* checked>', page)
    assert sorted(boxes) == sorted(NAMES.values())
    assert rows(page) == [NAMES["new"]]
    assert 'formaction="/compare"' in page


def test_an_empty_store_says_what_to_do(ask: Asked) -> None:
    assert "No runs yet: mlh bench MODEL makes one." in words(ask.text("/"))


def test_a_misspelt_filter_is_told(ask: Asked, two: Path) -> None:
    assert "No run matches. model tinny: no run has it. Did you mean 'tiny'?" in words(ask.text("/?model=tinny"))
    assert "No run matches." in words(ask.text("/?model=x*"))


def test_a_damaged_run_is_told_and_the_others_are_shown(ask: Asked, two: Path) -> None:
    damaged = two / "20260303T100000Z-tiny-Offline-cccccc"
    damaged.mkdir()
    (damaged / "result.json").write_text("{", "utf-8")
    page = ask.text("/")
    assert len(rows(page)) == 2
    assert f"{damaged / 'result.json'} is damaged" in words(page)


def test_many_can_ask_at_once(ask: Asked, two: Path) -> None:
    ask.text("/")

    def answer(number: int) -> list[str]:
        return rows(Client(ask.client.application).get(f"/?page={number}").text)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(answer, range(1, 33))) == [[NAMES["new"], NAMES["old"]]] * 32
    assert ask.failed == []


HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}</script>"


def test_hostile_names_are_words_like_others(ask: Asked, root: Path) -> None:
    run_id = "20260301T100000Z-<b>&'\"-Offline-aaaaaa"
    named = dict.fromkeys(("model.name", "system.host", "framework.version"), HOSTILE)
    write_run(root, run_id, {**named, "labels": {HOSTILE: HOSTILE}})
    for path in ("/", f"/?{urlencode({'model': HOSTILE})}"):
        page = ask.text(path)
        assert rows(page) == [run_id]
        assert "<img" not in page
        assert "<b>" not in page
        assert HOSTILE in words(page)
    link = re.findall(r'<th scope="row" class="model"><a href="([^"]*)"', page)[0]
    assert ask(unescape(link)).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/?model={}", "/?sort={}", "/?page={}", "/?status={}", "/{}", "/runs/{}", "/sweeps/{}", "/compare?run={}",
     "/compare?by={}"],
)  # fmt: skip
def test_hostile_addresses_come_back_as_words(ask: Asked, path: str) -> None:
    page = ask(path.format(quote(HOSTILE))).text
    assert "<img" not in page
    assert "alert(1)" in page or "There is no such page." in page
