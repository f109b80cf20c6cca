"""What the address of a list asks for: which runs, in which order, which page, and which of them are chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from werkzeug.datastructures import MultiDict

from mlharness.errors import did_you_mean
from mlharness.serving.trouble import NoPageError, answered
from mlharness.store.filtering import SCENARIOS, STATUSES, make_filter
from mlharness.store.querying import ORDERS, Filter, Page

ROWS = 100
"""Runs on a page."""
FIELDS = ("model", "framework", "host", "status", "scenario", "label", "since", "until")
"""The filters of ``mlh runs``, by the names of its options; each but the last two may be given more than once."""
MOST_VALUES = 50
MOST_CHOSEN = 200
LONGEST = 1000
"""Characters of a value; names and labels are far shorter."""
_CHOICES = {"status": STATUSES, "scenario": SCENARIOS}
_DESCENDING = frozenset({"started", "figure", "p90", "accuracy"})
"""What a first click on a heading shows from the largest down."""


@dataclass(frozen=True)
class Question:
    """A list that was asked for.

    Attributes:
        words: the filters as they were written, by name; none of them empty.
        wanted: what they mean.
        order: one of ``ORDERS``.
        number: of the page, from 1.
        chosen: run ids, each once, in the order in which they were chosen.
    """

    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    wanted: Filter = field(default_factory=Filter)
    order: str = "started"
    descending: bool = True
    number: int = 1
    chosen: tuple[str, ...] = ()

    def page(self, total: int) -> tuple[Page, int, int]:
        """The page of so many runs, its number (the last one, where there are not so many), and how many there are."""
        pages = max(1, -(-total // ROWS))
        number = min(self.number, pages)
        return Page(ROWS, ROWS * (number - 1), self.order, self.descending), number, pages

    @property
    def sort(self) -> str:
        """The order as an address has it: a minus for descending."""
        return f"{'-' if self.descending else ''}{self.order}"

    def sort_by(self, order: str) -> str:
        """What a click on the heading of an order asks for: that, or the other way round."""
        descending = not self.descending if order == self.order else order in _DESCENDING
        return f"{'-' if descending else ''}{order}"


def read_question(given: MultiDict[str, str]) -> Question:
    """What an address asks for. Raises NoPageError (400) for what has no meaning."""
    words = {name: found for name in FIELDS if (found := values(given, name))}
    if sum(map(len, words.values())) > MOST_VALUES:
        raise NoPageError(400, f"There are more than {MOST_VALUES} filters.", "Write fewer, with * and ? in names.")
    for name, allowed in _CHOICES.items():
        for value in words.get(name, ()):
            if value.lower() not in map(str.lower, allowed):
                raise NoPageError(400, f"There is no {name} {value!r}.", did_you_mean(value, allowed))
    order, descending = read_order(last(given, "sort"))
    return Question(
        words=words,
        wanted=read_filter(words),
        order=order,
        descending=descending,
        number=read_number(last(given, "page")),
        chosen=read_chosen(given),
    )


def read_filter(words: dict[str, tuple[str, ...]]) -> Filter:
    """What the filters mean. Raises NoPageError (400)."""
    with answered(400):
        return make_filter(
            models=words.get("model", ()),
            frameworks=words.get("framework", ()),
            hosts=words.get("host", ()),
            statuses=words.get("status", ()),
            scenarios=words.get("scenario", ()),
            labels=words.get("label", ()),
            since=words.get("since", ("",))[-1],
            until=words.get("until", ("",))[-1],
            prefix="",
        )


def read_chosen(given: MultiDict[str, str]) -> tuple[str, ...]:
    """The run ids that were chosen. Raises NoPageError (400) for more than can be looked at."""
    found = values(given, "run")
    if len(found) > MOST_CHOSEN:
        raise NoPageError(400, f"{len(found)} runs are chosen, and {MOST_CHOSEN} are the most.", "Choose fewer.")
    return found


def read_order(text: str) -> tuple[str, bool]:
    """An order, and whether it is descending; the latest first where none is given. Raises NoPageError (400)."""
    if not text:
        return "started", True
    order = text.removeprefix("-")
    if order not in ORDERS:
        raise NoPageError(400, f"Runs cannot be sorted by {order!r}.", did_you_mean(order, ORDERS))
    return order, text.startswith("-")


def read_number(text: str) -> int:
    """The number of a page; 1 where none is given. Raises NoPageError (400)."""
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise NoPageError(400, f"There is no page {text!r}.", "Pages are counted from 1.")
    return int(text)


def values(given: MultiDict[str, str], name: str) -> tuple[str, ...]:
    """What was given for a name, each value once, without the empty fields of a form. Raises NoPageError (400)."""
    found = tuple(dict.fromkeys(filter(None, map(str.strip, given.getlist(name)))))
    if any(len(value) > LONGEST for value in found):
        raise NoPageError(400, f"A {name} has more than {LONGEST} characters.", "No name or label is so long.")
    return found


def last(given: MultiDict[str, str], name: str) -> str:
    """The last value: a button's, which comes after the hidden field of the same name."""
    return given.getlist(name)[-1] if name in given else ""
