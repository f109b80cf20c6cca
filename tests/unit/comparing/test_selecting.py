"""Which runs words mean, and what is said of words that mean none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlharness.comparing.groups import PAIR, SERIES
from mlharness.comparing.runs import read_run
from mlharness.comparing.selecting import Shelf
from mlharness.errors import UserError
from tests.unit.comparing.making import a_run, write_run
from tests.unit.runner.making import a_plan


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Runs 1 to 4 of one plan, of which 2 and 4 are a series; run 5 of another plan; run 6 on another host."""
    for number in range(1, 5):
        labels = {SERIES: "abc", PAIR: str(number)} if number % 2 == 0 else {"who": "me"}
        write_run(tmp_path, a_run(number, changes={"labels": labels}))
    write_run(tmp_path, a_run(5, plan=a_plan(test={"scenario": "Offline"})))
    write_run(tmp_path, a_run(6, changes={"system.host": "south"}))
    (tmp_path / "20260101T001000Z-no-result").mkdir()
    return Shelf(tmp_path)


def numbers(shelf: Shelf, selection: str) -> list[int]:
    return [int(run.id[-6:], 16) for run in shelf.select(selection).runs]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("@last", [6]), ("@-1", [6]), ("@-3", [4]),
        ("20260101T000300Z-tiny-SingleStream-000003", [3]),
        ("20260101T0003", [3]),
        ("20260101T0001, @-2", [1, 5]),
        ("@last,@last", [6]),
        ("*-Offline-*", [5]),
        ("20260101T000[12]*", [1, 2]),
        ("label:who=me", [1, 3]),
        ("series:20260101T0002", [2, 4]),
        ("plan:20260101T0001", [1, 2, 3, 4]),
    ],
)  # fmt: skip
def test_selections(shelf: Shelf, selection: str, expected: list[int]) -> None:
    assert numbers(shelf, selection) == expected
    assert shelf.select(selection).name == selection


def test_a_path_is_a_run_wherever_it_lies(shelf: Shelf, tmp_path: Path) -> None:
    elsewhere = write_run(tmp_path / "elsewhere", a_run(9))
    assert numbers(shelf, str(elsewhere)) == [9]


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ("nothing", "there is no run 'nothing'"),
        ("@first", "there is no run '@first'"),
        ("@-7", "has 6"),
        ("@-0", "there is no run"),
        ("20260101T000", "may be any of 6 runs"),
        ("*nothing*", "means no run"),
        ("label:who", "is no label"),
        ("label:who=you", "means no run"),
        ("series:20260101T0001", "is of no series"),
        (",", "means no run"),
        ("20260101T001000Z-no-result", "there is no run"),
    ],
)
def test_words_that_mean_no_run(shelf: Shelf, selection: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        shelf.select(selection)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 0"):
        Shelf(tmp_path).select("@last")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema_version": 1', "is damaged"),
        ("[]", "holds no JSON object"),
        ("\udcff", "is damaged"),
        (json.dumps({"schema_version": 2}), "schema version 2, and this mlharness knows 1"),
        ("{}", "schema version None"),
    ],
)
def test_results_that_cannot_be_read(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "result.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=words):
        read_run(tmp_path)


def test_a_run_that_did_not_end(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did not end"):
        read_run(tmp_path)


def test_a_result_alone_is_enough(tmp_path: Path) -> None:
    folder = write_run(tmp_path, a_run(1))
    for name in ("plan.json", "system.json"):
        (folder / name).unlink()
    run = read_run(folder)
    assert (run.plan, run.system, run.directory) == ({}, {}, folder)
