"""A sweep runs what is left, passes over what fails, and goes on where it was stopped."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlharness import rundir
from mlharness.errors import UserError
from mlharness.sweeping.directory import SweepDirectory, begin, find_unfinished, open_sweep
from mlharness.sweeping.document import read_sweep
from mlharness.sweeping.order import Unit
from mlharness.sweeping.running import Hearing, choices_of, run_all
from mlharness.sweeping.table import table_of
from tests.unit.sweeping.conftest import Begin, Write, journal_of, keep, made_up, pretend


def again(directory: SweepDirectory) -> SweepDirectory:
    """As another process would see it."""
    return open_sweep(directory.path)


def timeless(directory: SweepDirectory) -> dict[str, Any]:
    """The table without what is another one's for every sweep."""
    return {key: value for key, value in table_of(directory).items() if key not in ("sweep", "started")}


def test_every_run_is_made_in_order_and_told(begun: Begin) -> None:
    directory, told = begun(repetitions=2), []
    run_all(directory, pretend, Hearing(before=lambda unit, number, total: told.append((unit.key, number, total))))
    assert [key for key, _, _ in told] == [unit.key for unit in directory.order]
    assert [(number, total) for _, number, total in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not again(directory).left()


def test_cells_that_fail_are_recorded_and_passed_over(begun: Begin) -> None:
    directory = begun(models=["missing", "a", "broken", "bug"], repetitions=2)
    run_all(directory, pretend, Hearing())
    rows = {row["model"]: row for row in table_of(directory)["rows"]}
    assert {model: row["counts"] for model, row in rows.items()} == {
        "missing": {"not run": 1},  # it would say the same once more
        "a": {"valid": 2},
        "broken": {"failed": 2},
        "bug": {"bug": 2},
    }
    assert (rows["missing"]["message"], rows["missing"]["remedy"]) == ("no model is named 'missing'", "See: mlh models")
    assert "it is failed" in rows["broken"]["message"]
    assert "ZeroDivisionError: oops" in rows["bug"]["message"]
    assert rows["broken"]["throughput"] is None
    assert table_of(directory)["complete"]


def test_later_runs_of_a_cell_are_held_against_the_first(begun: Begin) -> None:
    directory, seen = begun(models=["a"], repetitions=3), []

    def run(place: SweepDirectory, unit: Unit, earlier: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        seen.append([result["run_id"] for result in earlier])
        return pretend(place, unit, earlier)

    run_all(directory, run, Hearing())
    first = f"run-{directory.sweep.cells[0].id}-1"
    assert seen == [[], [first], [first]]


def test_stopped_anywhere_it_goes_on_at_the_next_run_to_the_same_table(begun: Begin) -> None:
    keys: dict[str, Any] = {"models": ["a", "missing", "broken", "b"], "repetitions": 2, "order": {"random": 5}}
    whole = begun(**keys)
    run_all(whole, pretend, Hearing())
    directory = begun(**keys)
    for _ in directory.order:
        stop_after_one(again(directory))
    run_all(again(directory), pretend, Hearing())
    assert timeless(again(directory)) == timeless(whole)
    assert [line["cell"] for line in journal_of(directory)] == [line["cell"] for line in journal_of(whole)]


def stop_after_one(directory: SweepDirectory) -> None:
    """Make one run, then be stopped in the next one."""
    made = 0

    def run(place: SweepDirectory, unit: Unit, earlier: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        nonlocal made
        if made:
            raise KeyboardInterrupt
        made += 1
        return pretend(place, unit, earlier)

    try:
        run_all(directory, run, Hearing())
    except KeyboardInterrupt:
        return


def test_a_run_that_ended_without_a_line_is_taken_over(begun: Begin) -> None:
    directory = begun(models=["a"], repetitions=2)
    keep(directory, made_up(directory, directory.order[0]))
    told: list[Sequence[str]] = []
    run_all(again(directory), pretend, Hearing(adopted=told.append))
    assert told == [[f"run-{directory.sweep.cells[0].id}-1"]]
    assert [line["repetition"] for line in journal_of(directory)] == [1, 2]


def test_a_run_that_had_not_ended_is_removed_and_a_failed_one_made_again(begun: Begin) -> None:
    directory = begun(models=["a"])
    (directory.runs / "half").mkdir()
    (directory.runs / "half" / "plan.json").touch()
    failed = made_up(directory, directory.order[0], "failed", run_id="failed")
    keep(directory, failed)
    run_all(directory, pretend, Hearing())
    assert sorted(path.name for path in directory.runs.iterdir()) == ["failed", f"run-{directory.sweep.cells[0].id}-1"]
    assert [line["status"] for line in journal_of(directory)] == ["valid"]


def test_a_line_that_was_cut_off_is_taken_away(begun: Begin) -> None:
    directory = begun(repetitions=2)
    run_all(directory, pretend, Hearing())
    journal = directory.path / "journal.jsonl"
    os.truncate(journal, journal.stat().st_size - 5)
    resumed = again(directory)
    assert len(resumed.left()) == 1
    run_all(resumed, pretend, Hearing())
    assert len(journal_of(directory)) == 4
    assert timeless(again(directory)) == timeless(directory)


def test_who_reads_a_journal_takes_nothing_from_who_writes_it(begun: Begin) -> None:
    directory = begun()
    journal = directory.path / "journal.jsonl"
    journal.write_text('{"cell": "half a li', "utf-8")
    directory.left()
    assert journal.read_text("utf-8") == '{"cell": "half a li'


def test_a_damaged_line_in_the_middle_is_told(begun: Begin) -> None:
    directory = begun()
    (directory.path / "journal.jsonl").write_text("nonsense\n", "utf-8")
    with pytest.raises(UserError, match="is damaged: b'nonsense'"):
        directory.left()


def test_a_full_disk_ends_the_sweep_and_blames_no_cell(begun: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = begun(models=["missing", "a"])
    usage = namedtuple("usage", "total used free")  # as shutil's own
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 0))
    with pytest.raises(UserError, match="is full"):
        run_all(directory, pretend, Hearing())
    assert not (directory.path / "journal.jsonl").exists()
    monkeypatch.undo()
    run_all(directory, pretend, Hearing())
    assert len(journal_of(directory)) == 2


def test_a_line_that_does_not_fit_leaves_the_journal_as_it_was(begun: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = begun()

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(rundir, "write_json", lambda path, document: path.write_text(str(document)))
    with pytest.raises(UserError, match="No space left on device"):
        run_all(directory, pretend, Hearing())
    assert journal_of(directory) == []


def test_two_do_not_work_on_one_sweep(begun: Begin) -> None:
    directory = begun()
    with directory.locked(), pytest.raises(UserError, match="another mlh works on"):
        run_all(again(directory), pretend, Hearing())


def test_the_latest_unfinished_sweep_of_a_file_is_found(write: Write, tmp_path: Path) -> None:
    sweep = read_sweep(write())
    with pytest.raises(UserError, match="no unfinished sweep 's'"):
        find_unfinished(tmp_path, sweep)
    begun = begin(tmp_path, sweep)
    assert find_unfinished(tmp_path, sweep).path == begun.path
    with pytest.raises(UserError, match="The file has changed since"):
        find_unfinished(tmp_path, read_sweep(write(repetitions=2)))
    run_all(begun, pretend, Hearing())
    with pytest.raises(UserError, match="no unfinished"):
        find_unfinished(tmp_path, sweep)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is no sweep"),
        ("{", "cannot be read"),
        ('{"schema_version": 2}', "another version"),
        ('{"schema_version": 1, "name": 3}', "is damaged"),
    ],
)
def test_a_directory_that_is_no_sweep_is_told(tmp_path: Path, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / "sweep.json").write_text(content, "utf-8")
    with pytest.raises(UserError, match=told):
        open_sweep(tmp_path)


def test_a_cell_becomes_the_options_of_bench(write: Write, tmp_path: Path) -> None:
    settings = {
        "dataset": "./d.yaml", "data_dir": "data", "mode": "both", "rules": "quick", "duration": 2, "min_queries": 3,
        "count": 4, "warmup": 5, "threads": 6, "max_wait": 1.5, "target_qps": 7, "target_latency": 8, "seed": 9,
        "stall_timeout": 10, "options": ["k=v"],
    }  # fmt: skip
    path = write(models=["a"], frameworks=["x==1"], devices=["cuda:1"], batch_sizes=[2], instances=[3],
                 scenarios=["Server"], settings=settings)  # fmt: skip
    found = choices_of(read_sweep(path).cells[0], tmp_path)
    assert (found.framework, found.device, found.batch_size, found.instances) == ("x==1", "cuda:1", 2, 3)
    assert (found.scenario, found.mode, found.max_wait_us, found.duration_s) == ("Server", "both", 1500, 2)
    assert (found.dataset, found.data_dir, found.options) == (str(tmp_path / "d.yaml"), tmp_path / "data", ("k=v",))
    assert (found.target_latency_ms, found.stall_timeout_s, found.threads, found.seed) == (8, 10, 6, 9)
