"""``--require-quality``: when a run is made again, and which one is reported."""

from __future__ import annotations

import pytest

from mlharness.cli.attempts import Result, attempt


def results(grades: str) -> list[Result]:
    """One result for each letter; ``-`` has no grade."""
    return [
        {"run_id": f"run-{number}", "quality": None if letter == "-" else {"grade": letter}}
        for number, letter in enumerate(grades)
    ]


@pytest.mark.parametrize(
    ("grades", "required", "attempts", "reported", "good", "made"),
    [
        ("D", None, 3, 0, True, 1),
        ("-", None, 3, 0, True, 1),
        ("A", "B", 3, 0, True, 1),
        ("B", "B", 3, 0, True, 1),
        ("CDB", "B", 3, 2, True, 3),
        ("CB", "B", 3, 1, True, 2),
        ("DCC", "B", 3, 1, False, 3),
        ("DC", "B", 1, 0, False, 1),
        ("-A", "C", 3, 0, False, 1),
        ("D-A", "C", 3, 0, False, 2),
    ],
)
def test_attempts(grades: str, required: str | None, attempts: int, reported: int, good: bool, made: int) -> None:
    coming = iter(results(grades))
    told: list[str] = []
    result, enough = attempt(lambda: next(coming), required, attempts, told.append)
    assert (result["run_id"], enough) == (f"run-{reported}", good)
    assert len(list(coming)) == len(grades) - made
    assert len(told) == (made - 1 if good else made)


def test_each_run_that_is_not_good_enough_is_told() -> None:
    coming = iter(results("D-"))
    told: list[str] = []
    attempt(lambda: next(coming), "B", 3, told.append)
    assert told == [
        "attempt 1 of 3, run-0: quality D, and B is required",
        "attempt 2 of 3, run-1: quality unknown, and B is required",
    ]
