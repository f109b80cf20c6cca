"""Which runs words mean, and what is said of words that mean none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.comparing.groups import PAIR, SERIES
from mlharness.comparing.runs import read_run
from mlharness.comparing.selecting import select_runs
from mlharness.errors import UserError
from mlharness.runs import Runs
from mlharness.store.labelling import change_labels
from tests.unit.comparing.making import a_run, write_run
from tests.unit.runner.making import a_plan


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's runs are, and a store of this test."""
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path))
    return tmp_path / "runs"


@pytest.fixture
def known(root: Path) -> Runs:
    """Runs 1 to 4 of one plan, of which 2 and 4 are a series; run 5 of another plan; run 6 on another host."""
    for number in range(1, 5):
        labels = {SERIES: "abc", PAIR: str(number)} if number % 2 == 0 else {"who": "me"}
        write_run(root, a_run(number, changes={"labels": labels}))
    write_run(root, a_run(5, plan=a_plan(test={"scenario": "Offline"})))
    write_run(root, a_run(6, changes={"system.host": "south"}))
    return Runs()


def numbers(known: Runs, selection: str) -> list[int]:
    return sorted(int(run.id[-6:], 16) for run in select_runs(known, selection).runs)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("@last", [6]), ("@-3", [4]),
        ("20260101T000300Z-tiny-SingleStream-000003", [3]),
        ("20260101T0003", [3]),
        ("20260101T0001, @-2", [1, 5]),
        ("@last,@last", [6]),
        ("*-Offline-*", [5]),
        ("20260101T000[12]*", [1, 2]),
        ("2026010?T0003*", [3]),
        ("label:who=me", [1, 3]),
        ("series:20260101T0002", [2, 4]),
        ("plan:20260101T0001", [1, 2, 3, 4]),
    ],
)  # fmt: skip
def test_selections(known: Runs, selection: str, expected: list[int]) -> None:
    assert numbers(known, selection) == expected
    assert select_runs(known, selection).name == selection


def test_a_path_is_a_run_wherever_it_lies(known: Runs, tmp_path: Path) -> None:
    elsewhere = write_run(tmp_path / "elsewhere", a_run(9))
    assert numbers(known, str(elsewhere)) == [9]


def test_labels_are_those_that_a_run_has_now(known: Runs, root: Path) -> None:
    change_labels(root / a_run(5).result["run_id"].replace("SingleStream", "Offline"), {"who": "me"}, ())
    assert numbers(known, "label:who=me") == [1, 3, 5]


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ("nothing", "there is no run 'nothing'"),
        ("@first", "'@first' names no run"),
        ("@-7", "there are not so many runs"),
        ("20260101T000", "several runs begin with"),
        ("*nothing*", "means no run"),
        ("label:who", "is no label"),
        ("label:who=you", "means no run"),
        ("series:20260101T0001", "is of no series"),
        (",", "means no run"),
    ],
)
def test_words_that_mean_no_run(known: Runs, selection: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        select_runs(known, selection)


@pytest.mark.parametrize("name", ["plan.json", "system.json"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_run(tmp_path, a_run(1))
    (folder / name).write_text("{")
    with pytest.raises(UserError, match=f"{name} is damaged"):
        read_run(folder)


def test_a_plan_of_a_newer_mlharness_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path, a_run(1))
    (folder / "plan.json").write_text('{"schema_version": 2}')
    with pytest.raises(UserError, match=r"plan\.json has schema_version 2, and this mlharness reads 1"):
        read_run(folder)


def test_a_result_alone_is_enough(tmp_path: Path) -> None:
    folder = write_run(tmp_path, a_run(1))
    for name in ("plan.json", "system.json"):
        (folder / name).unlink()
    run = read_run(folder)
    assert (run.plan, run.system, run.directory) == ({}, {}, folder)
