"""Options given by users and manifests, against what a provider declared."""

from __future__ import annotations

from typing import Any

import pytest

from mlharness.errors import UserError
from mlharness.options import parse_option, resolve_options
from mlharness.providers import Option

DECLARED = (
    Option("threads", "integer", "How many threads.", default=1),
    Option("rate", "number", "Samples per second."),
    Option("mode", "string", "How to run.", default="fast", choices=("fast", "slow")),
    Option("fuse", "boolean", "Fuse operators.", default=True),
    Option("names", "array", "Names of columns.", default=("a",)),
    Option("extra", "object", "Anything else."),
)


def test_defaults_fill_what_is_not_given() -> None:
    resolved = resolve_options("framework 'x'", DECLARED, {"threads": 4})
    assert resolved == {"threads": 4, "rate": None, "mode": "fast", "fuse": True, "names": ("a",), "extra": None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", "four"),
        ("threads", True),
        ("threads", 1.5),
        ("threads", None),
        ("rate", "1"),
        ("fuse", 1),
        ("mode", 3),
        ("names", "a"),
        ("extra", []),
    ],
)
def test_a_wrong_type_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"framework 'x': {name} is .*must be of type"):
        resolve_options("framework 'x'", DECLARED, {name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("rate", 2), ("rate", 2.5), ("rate", None), ("names", ["b"]), ("extra", {})]
)
def test_a_right_type_is_taken_as_it_is(name: str, value: Any) -> None:
    assert resolve_options("framework 'x'", DECLARED, {name: value})[name] == value


def test_a_value_outside_the_choices_is_refused() -> None:
    with pytest.raises(UserError, match="mode is 'slwo', and must be one of fast, slow"):
        resolve_options("framework 'x'", DECLARED, {"mode": "slwo"})


def test_a_misspelt_option_is_answered() -> None:
    with pytest.raises(UserError, match=r"has no option 'thread'\nDid you mean 'threads'\?"):
        resolve_options("framework 'x'", DECLARED, {"thread": 4})


def test_a_required_option_must_be_given() -> None:
    declared = [Option("path", "string", "Where the table is.", required=True)]
    with pytest.raises(UserError, match=r"data set needs the option 'path' \(string\)\nWhere the table is."):
        resolve_options("data set", declared, {})
    assert resolve_options("data set", declared, {"path": "x"}) == {"path": "x"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("threads=4", 4),
        ("rate=2.5", 2.5),
        ("mode=slow", "slow"),
        ("mode=a=b", "a=b"),
        ("fuse=No", False),
        ("fuse=true", True),
        ("names=b,c", ["b", "c"]),
    ],
)
def test_the_command_lines_text_gets_the_declared_type(text: str, value: Any) -> None:
    assert parse_option(DECLARED, "framework 'x'", text) == (text.partition("=")[0], value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threads", "has no '='"),
        ("thread=4", "Did you mean 'threads'"),
        ("threads=four", "threads is 'four', and must be of type integer"),
        ("rate=fast", "must be of type number"),
        ("fuse=maybe", "must be of type boolean"),
    ],
)
def test_the_command_lines_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_option(DECLARED, "framework 'x'", text)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(UserError, match="finite"):
        resolve_options("step 'x'", [Option("factor", "number", "A factor.", default=1.0)], {"factor": value})
