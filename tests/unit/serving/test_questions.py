"""What the address of a list means."""

from __future__ import annotations

from datetime import datetime

import pytest
from werkzeug.datastructures import MultiDict

from mlharness.serving.listing import buttons
from mlharness.serving.questions import MOST_CHOSEN, MOST_VALUES, ROWS, Question, read_question
from mlharness.serving.trouble import NoPageError
from mlharness.store.querying import Filter, Page


def read(*pairs: tuple[str, str]) -> Question:
    """The question of an address."""
    return read_question(MultiDict(pairs))


def test_an_empty_address_asks_for_the_latest() -> None:
    assert read() == Question() == read(("model", ""), ("status", " "), ("since", ""), ("unknown", "x"))
    assert read().page(5 * ROWS)[0] == Page(ROWS)


def test_filters_are_those_of_the_command() -> None:
    found = read(
        ("model", "res*"), ("model", "bert"), ("framework", "torch==2.*"), ("host", "desk"), ("status", "VALID"),
        ("scenario", "offline"), ("label", "who=me"), ("label", "checked"), ("since", "2026-03-01"),
        ("until", "2026-03-02"),
    )  # fmt: skip
    assert found.wanted == Filter(
        models=("res*", "bert"), frameworks=("torch==2.*",), hosts=("desk",), statuses=("VALID",),
        scenarios=("offline",), labels=(("who", "me"), ("checked", None)), since=datetime(2026, 3, 1),
        until=datetime(2026, 3, 3),
    )  # fmt: skip


def test_of_several_orders_and_pages_the_button_that_was_pressed_counts() -> None:
    found = read(("sort", "-started"), ("sort", "figure"), ("page", "1"), ("page", "3"))
    assert (found.order, found.descending, found.number) == ("figure", False, 3)
    assert found.sort == "figure"


def test_a_heading_turns_its_order_round() -> None:
    assert read(("sort", "-figure")).sort_by("figure") == "figure"
    assert read(("sort", "figure")).sort_by("figure") == "-figure"
    assert (Question().sort_by("figure"), Question().sort_by("model")) == ("-figure", "model")


def test_there_is_always_a_page() -> None:
    assert read(("page", "9")).page(ROWS + 1) == (Page(ROWS, ROWS), 2, 2)
    assert read(("page", "9")).page(0) == (Page(ROWS), 1, 1)
    assert read(("page", "2")).page(ROWS * 3)[1:] == (2, 3)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("status", "fine")], "There is no status 'fine'."),
        ([("scenario", "Ofline")], "There is no scenario 'Ofline'."),
        ([("since", "soon")], "since 'soon' is no time"),
        ([("label", "=x")], "label '=x' is no label"),
        ([("sort", "figures")], "Runs cannot be sorted by 'figures'."),
        ([("sort", "run_id; DROP TABLE mlh_runs")], "Runs cannot be sorted by"),
        ([("page", "0")], "There is no page '0'."),
        ([("page", "-1")], "There is no page '-1'."),
        ([("page", "1e9")], "There is no page '1e9'."),
        ([("page", "²")], "There is no page '²'."),
        ([("page", "9" * 30)], "There is no page"),
        ([("model", "x" * 1001)], "A model has more than 1000 characters."),
        ([("model", str(number)) for number in range(MOST_VALUES + 1)], f"There are more than {MOST_VALUES} filters."),
        ([("run", str(number)) for number in range(MOST_CHOSEN + 1)], f"{MOST_CHOSEN} are the most"),
    ],
)
def test_what_has_no_meaning_is_told(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(NoPageError) as caught:
        read(*pairs)
    assert message in caught.value.message
    assert caught.value.status == 400
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("number", "pages", "shown"),
    [
        (1, 1, [1]),
        (1, 3, [1, 2, 3]),
        (1, 100, [1, 2, 3, 0, 100]),
        (4, 100, [1, 2, 3, 4, 5, 6, 0, 100]),
        (50, 100, [1, 0, 48, 49, 50, 51, 52, 0, 100]),
        (100, 100, [1, 0, 98, 99, 100]),
    ],
)
def test_buttons_lead_to_the_pages_around(number: int, pages: int, shown: list[int]) -> None:
    assert list(buttons(number, pages)) == shown
