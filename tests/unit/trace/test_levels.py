"""How a user names levels and samples."""

from __future__ import annotations

import pytest

from mlharness.errors import UserError
from mlharness.trace.levels import LEVELS, PUBLISHED, parse_levels, parse_sample


@pytest.mark.parametrize("level", ["application", "model", "system", "hardware"])
def test_a_level_is_itself(level: str) -> None:
    assert parse_levels(level) == (level,)


@pytest.mark.parametrize("level", ["framework", "library"])
def test_what_is_within_a_call_brings_the_calls(level: str) -> None:
    assert parse_levels(level) == ("model", level)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("NO_TRACE", 0), ("APPLICATION_TRACE", 1), ("MODEL_TRACE", 2), ("FRAMEWORK_TRACE", 3), ("ML_LIBRARY_TRACE", 4),
        ("SYSTEM_LIBRARY_TRACE", 5), ("HARDWARE_TRACE", 6), ("FULL_TRACE", 6), ("full", 6), ("Full", 6),
        ("model_trace", 2),
    ],
)  # fmt: skip
def test_a_published_name_is_its_level_and_all_further_out(name: str, count: int) -> None:
    assert parse_levels(name) == LEVELS[:count]


def test_every_published_name_is_tested() -> None:
    assert len(PUBLISHED) == 8


def test_several_are_in_order_and_once() -> None:
    assert parse_levels(" system, MODEL,model_trace ,System") == ("application", "model", "system")


@pytest.mark.parametrize(
    ("text", "named", "likely"),
    [
        ("modle", "'modle'", "model"), ("framework,libary", "'libary'", "library"),
        ("FULL_TRACES", "'FULL_TRACES'", "FULL_TRACE"),
        ("", "''", ""), ("model,", "''", ""), ("everything", "'everything'", ""),
    ],
)  # fmt: skip
def test_a_misspelt_level_is_told(text: str, named: str, likely: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_levels(text)
    assert named in caught.value.message
    assert likely in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "parsed"), [(None, (1, 0)), ("1", (1, 0)), ("10", (10, 0)), ("first:10", (1, 10)), ("first:1", (1, 1))]
)
def test_a_sample_is_every_so_many_or_the_first(text: str | None, parsed: tuple[int, int]) -> None:
    assert parse_sample(text) == parsed


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "first:", "first:0", "last:3", ":3", "first:first:3", "ten", "²"]
)
def test_what_is_no_sample_is_told(text: str) -> None:
    with pytest.raises(UserError, match="is no number of queries"):
        parse_sample(text)
