"""Runs from elsewhere: checked, copied, known, refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import UserError
from mlharness.store.importing import import_runs
from mlharness.store.index import index
from mlharness.store.opening import Store
from mlharness.store.querying import Filter, list_runs
from tests.unit.store.making import rewrite, write_run

A, B, C = (f"2026030{day}T100000Z-tiny-Offline-abcde{day}" for day in (1, 2, 3))


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of runs on a stick."""
    return tmp_path / "stick"


def test_a_folder_of_runs_is_copied_whole(store: Store, root: Path, there: Path) -> None:
    (write_run(there, A) / "performance").mkdir()
    (there / A / "performance" / "mlperf_log_detail.txt").write_text("log", "utf-8")
    write_run(there, B, folder="renamed")
    (there / "no-run").mkdir()
    found = import_runs(store, [there], root)
    assert (sorted(found.added), found.problems) == ([A, B], [])
    assert sorted(path.name for path in root.iterdir()) == [A, B]
    assert (root / A / "performance" / "mlperf_log_detail.txt").read_text("utf-8") == "log"
    assert {row["directory"] for row in list_runs(store, Filter())} == {str(root / A), str(root / B)}


def test_a_single_run_in_place(store: Store, root: Path, there: Path) -> None:
    assert import_runs(store, [write_run(there, A)], root, copy=False).added == [A]
    assert list(root.iterdir()) == []
    assert list_runs(store, Filter())[0]["directory"] == str(there / A)


def test_a_run_that_is_here_already_is_left_alone(store: Store, root: Path, there: Path) -> None:
    write_run(there, A)
    import_runs(store, [there], root)
    again = import_runs(store, [there, root], root)
    assert (again.added, again.problems) == ([], [])
    assert again.known + again.unchanged == [A, A]
    assert [path.name for path in root.iterdir()] == [A]


def test_a_run_that_the_store_knows_elsewhere_is_not_copied(
    store: Store, root: Path, there: Path, tmp_path: Path
) -> None:
    index(store, [write_run(tmp_path / "other", A)])
    assert import_runs(store, [write_run(there, A)], root).known == [A]
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("indexed", [True, False])
def test_the_same_id_with_other_content_names_both(store: Store, root: Path, there: Path, indexed: bool) -> None:
    mine, other = write_run(root, A), write_run(there, A, {"duration_s": 99.0})
    if indexed:
        index(store, [mine])
    (problem,) = import_runs(store, [there], root).problems
    assert str(mine) in problem.message
    assert str(other) in problem.message
    assert json.loads((mine / "result.json").read_text("utf-8"))["duration_s"] == 1.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "has schema_version 2"),
        ({"status": "splendid"}, "does not follow its schema: status: 'splendid' is not one of"),
        ({"surprise": 1}, "does not follow its schema: the document: "),
        ({"run_id": "../../outside"}, "is no name of a run directory"),
    ],
)
def test_what_is_wrong_with_one_does_not_stop_the_others(
    sqlite: Store, root: Path, there: Path, changes: dict[str, Any], words: str
) -> None:
    write_run(there, A)
    rewrite(write_run(there, B), changes)
    write_run(there, C)
    found = import_runs(sqlite, [there], root)
    assert sorted(found.added) == [A, C]
    (problem,) = found.problems
    assert words in problem.message
    assert problem.directory == there / B
    assert sorted(path.name for path in root.parent.iterdir() if path != there) == ["runs", "store"]


@pytest.mark.parametrize("name", ["result.json", "plan.json", "system.json", "labels.json"])
def test_a_truncated_file_keeps_a_run_out(sqlite: Store, root: Path, there: Path, name: str) -> None:
    (write_run(there, A) / name).write_text('{"schema_version": 1, "la', "utf-8")
    found = import_runs(sqlite, [there], root)
    assert found.added == []
    assert f"{there / A / name} is damaged" in found.problems[0].message


@pytest.mark.parametrize("name", ["result.json", "plan.json", "labels.json"])
def test_a_newer_file_keeps_a_run_out(sqlite: Store, root: Path, there: Path, name: str) -> None:
    path = write_run(there, A) / name
    document = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**document, "schema_version": 2}), "utf-8")
    found = import_runs(sqlite, [there], root)
    assert found.added == []
    assert f"{path} has schema_version 2, and this mlharness reads 1" in found.problems[0].message
    assert list(root.iterdir()) == []


def test_a_copy_that_cannot_be_finished_leaves_nothing(
    sqlite: Store, root: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path, **options: Any) -> None:
        target.mkdir()
        raise shutil.Error([(str(source), str(target), "[Errno 28] No space left on device")])

    monkeypatch.setattr(shutil, "copytree", refuse)
    (problem,) = import_runs(sqlite, [write_run(there, A)], root).problems
    assert "cannot be copied" in problem.message
    assert "No space left on device" in problem.message
    assert list(root.iterdir()) == []


def test_what_no_file_is_copies_as_an_error(sqlite: Store, root: Path, there: Path) -> None:
    os.mkfifo(write_run(there, A) / "pipe")
    (problem,) = import_runs(sqlite, [there], root).problems
    assert "is a named pipe" in problem.message
    assert list(root.iterdir()) == []


def test_a_link_is_copied_as_a_link(sqlite: Store, root: Path, there: Path) -> None:
    (write_run(there, A) / "link").symlink_to("/etc/passwd")
    import_runs(sqlite, [there], root)
    assert (root / A / "link").is_symlink()


@pytest.mark.parametrize(("make", "words"), [("mkdir", "holds no run"), ("touch", "is no folder")])
def test_a_path_that_holds_no_run(sqlite: Store, root: Path, tmp_path: Path, make: str, words: str) -> None:
    path = tmp_path / "x"
    getattr(path, make)()
    with pytest.raises(UserError, match=words):
        import_runs(sqlite, [path], root)
