"""The rows are what the run directories say: added, changed, moved, copied, and gone."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from mlharness.errors import StoreError, UserError
from mlharness.store import index as index_module
from mlharness.store import opening
from mlharness.store.index import catch_up, forget, index, rebuild, roots_of, scan
from mlharness.store.opening import Store, open_store
from mlharness.store.querying import Filter, count_runs, get_run, list_runs
from tests.unit.store.making import rewrite, write_run

A, B, C = (f"2026030{day}T100000Z-tiny-Offline-abcde{day}" for day in (1, 2, 3))


def ids(store: Store) -> list[str]:
    """The runs that the store knows, sorted."""
    return sorted(row["run_id"] for row in list_runs(store, Filter()))


def test_runs_are_added_updated_and_left(store: Store, root: Path) -> None:
    one, two = write_run(root, A), write_run(root, B)
    assert index(store, [one, two]).added == [A, B]
    rewrite(two, {"warnings": ["mind"], "labels": {"x": "y"}})
    again = index(store, [one, two])
    assert (again.added, again.updated, again.unchanged) == ([], [B], [A])
    found = get_run(store, B)
    assert found is not None
    assert (found.result["warnings"], found.labels) == (["mind"], {"x": "y"})
    assert get_run(store, C) is None


def test_what_belongs_to_a_run_goes_with_it(store: Store, root: Path) -> None:
    index(store, [write_run(root, A), write_run(root, B)])
    forget(store, [A])
    assert ids(store) == [B]
    with store.reading() as connection:
        for table in ("mlh_labels", "mlh_documents"):
            assert connection.execute(text(f"SELECT run_id FROM {table}")).scalars().all() == [B]  # noqa: S608  # names of ours


def test_what_is_wrong_with_one_does_not_stop_the_others(store: Store, root: Path) -> None:
    good, torn, newer, empty = write_run(root, A), write_run(root, B), write_run(root, C), root / "killed"
    (torn / "result.json").write_text('{"schema_version": 1, "run', "utf-8")
    rewrite(newer, {"schema_version": 7})
    empty.mkdir()
    found = index(store, [torn, newer, empty, good])
    assert (found.added, found.incomplete) == ([A], [empty])
    assert [problem.directory for problem in found.problems] == [torn, newer]
    assert "schema_version 7" in found.problems[1].message
    assert "Upgrade" in found.problems[1].remedy


def test_a_run_whose_labels_are_damaged_is_there(store: Store, root: Path) -> None:
    directory = write_run(root, A)
    (directory / "labels.json").write_text("{", "utf-8")
    found = index(store, [directory])
    assert (found.added, len(found.problems)) == ([A], 1)
    assert list_runs(store, Filter())[0]["labels"] == {"who": "ci"}


class TestCopies:
    """Two directories with one run id."""

    def test_the_same_content_is_known(self, store: Store, root: Path, tmp_path: Path) -> None:
        one, other = write_run(root, A), write_run(tmp_path / "other", A)
        index(store, [one])
        found = index(store, [other])
        assert (found.known, found.problems, found.added) == ([A], [], [])
        assert list_runs(store, Filter())[0]["directory"] == str(one)

    def test_other_content_is_an_error_that_names_both(self, store: Store, root: Path, tmp_path: Path) -> None:
        one, other = write_run(root, A), write_run(tmp_path / "other", A, {"duration_s": 9.0})
        index(store, [one])
        found = index(store, [other])
        (problem,) = found.problems
        assert str(one) in problem.message
        assert str(other) in problem.message
        assert list_runs(store, Filter())[0]["duration_s"] == 1.5

    def test_those_of_one_call_are_held_against_each_other(self, store: Store, root: Path, tmp_path: Path) -> None:
        one, same = write_run(root, A), write_run(tmp_path / "same", A)
        found = index(store, [one, same, write_run(tmp_path / "changed", A, {"errors": 1})])
        assert (found.added, found.known, len(found.problems)) == ([A], [A], 1)

    def test_a_directory_that_was_moved_is_found_where_it_is(self, store: Store, root: Path, tmp_path: Path) -> None:
        index(store, [write_run(root, A)])
        moved = tmp_path / "archive" / A
        moved.parent.mkdir()
        (root / A).rename(moved)
        assert index(store, [moved]).updated == [A]
        assert list_runs(store, Filter())[0]["directory"] == str(moved)

    def test_a_copy_on_another_host_of_a_server(
        self, empty_database: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, one = open_store(empty_database), write_run(root, A)
        index(store, [one])
        monkeypatch.setattr(platform, "node", lambda: "another")
        shutil.rmtree(one)  # which the other host cannot see
        assert index(store, [write_run(tmp_path / "same", A)]).known == [A]
        (problem,) = index(store, [write_run(tmp_path / "changed", A, {"errors": 5})]).problems
        assert f"{one} on " in problem.message

    def test_a_container_has_another_name_every_time(
        self, sqlite: Store, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = write_run(root, A)
        index(sqlite, [one])
        monkeypatch.setattr(platform, "node", lambda: "f00d")
        rewrite(one, {"errors": 1})
        assert index(sqlite, [one]).updated == [A]


class TestCatchingUp:
    """Only what is new or changed is read."""

    def test_new_and_changed_directories_are_added(self, store: Store, root: Path) -> None:
        one, two = write_run(root, A), write_run(root, B)
        assert catch_up(store, root).added == [A, B]
        write_run(root, C)
        rewrite(two, {"errors": 3})
        found = catch_up(store, root)
        assert (found.added, found.updated, found.unchanged) == ([C], [B], [])
        (one / "labels.json").write_text('{"labels": {}}', "utf-8")
        assert catch_up(store, root).updated == [A]

    def test_known_directories_are_not_opened(self, store: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_run(root, A)
        catch_up(store, root)
        monkeypatch.setattr(index_module, "read_record", lambda directory: pytest.fail(f"{directory} was read"))
        assert catch_up(store, root).added == []

    def test_nothing_is_forgotten(self, store: Store, root: Path) -> None:
        catch_up(store, write_run(root, A).parent)
        shutil.rmtree(root / A)
        catch_up(store, root)
        assert ids(store) == [A]

    def test_hidden_folders_links_and_files_are_no_runs(self, root: Path, tmp_path: Path) -> None:
        write_run(root, A)
        write_run(root, B, folder=".removing-x")
        (root / "notes.txt").touch()
        (root / "link").symlink_to(write_run(tmp_path / "other", C))
        assert list(scan(root)) == [A]
        assert scan(root / "nothing") == {}

    def test_a_root_that_is_no_folder_is_told(self, root: Path) -> None:
        (root / "file").touch()
        with pytest.raises(UserError, match="cannot be read: Not a directory"):
            scan(root / "file")


class TestRebuilding:
    """``mlh runs index``."""

    def test_a_lost_store_is_made_again(self, url: str, store: Store, root: Path) -> None:
        for name in (A, B, C):
            write_run(root, name)
        rebuild(store, [root])
        before = list_runs(store, Filter())
        with store.writing() as connection:
            connection.execute(text("DELETE FROM mlh_runs"))
        rebuild(open_store(url), [root])
        assert list_runs(store, Filter()) == before
        assert len(before) == 3

    def test_what_is_gone_is_forgotten_under_these_roots_only(self, store: Store, root: Path, tmp_path: Path) -> None:
        kept = write_run(tmp_path / "other", C)
        index(store, [write_run(root, A), write_run(root, B), kept])
        shutil.rmtree(root / A)
        shutil.rmtree(kept)
        assert rebuild(store, [root]).forgotten == [A]
        assert ids(store) == [B, C]
        assert roots_of(store) in ([root, kept.parent], [kept.parent, root])

    def test_a_disk_that_is_not_mounted_loses_nothing(self, store: Store, root: Path) -> None:
        index(store, [write_run(root, A)])
        shutil.rmtree(root)
        assert rebuild(store, [root]).forgotten == []
        assert ids(store) == [A]

    def test_a_run_directory_itself_is_indexed(self, sqlite: Store, root: Path) -> None:
        write_run(root, B)
        (write_run(root, A) / "performance").mkdir()
        found = rebuild(sqlite, [root / A])
        assert (found.added, found.incomplete, ids(sqlite)) == ([A], [], [A])

    def test_a_file_is_this_hosts_whatever_it_was_called(
        self, sqlite: Store, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index(sqlite, [write_run(root, A)])
        shutil.rmtree(root / A)
        monkeypatch.setattr(platform, "node", lambda: "f00d")
        assert rebuild(sqlite, roots_of(sqlite)).forgotten == [A]

    def test_runs_of_other_hosts_stay(self, empty_database: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = open_store(empty_database)
        with monkeypatch.context() as patched:
            patched.setattr(platform, "node", lambda: "another")
            index(store, [write_run(root, A)])
        shutil.rmtree(root / A)
        assert rebuild(store, [root]).forgotten == []
        assert (ids(store), roots_of(store)) == ([A], [])

    def test_more_than_one_transaction_holds(self, sqlite: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(index_module, "BATCH", 2)
        names = [f"run-{number}" for number in range(5)]
        for name in names:
            write_run(root, name)
        assert rebuild(sqlite, [root]).added == names
        for name in names:
            shutil.rmtree(root / name)
        assert sorted(rebuild(sqlite, [root]).forgotten) == names
        assert count_runs(sqlite, Filter()) == 0


def test_what_was_written_before_a_failure_is_kept(sqlite: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "BATCH", 1)
    monkeypatch.setattr(opening, "BUSY_S", 0.05)
    store = open_store(sqlite.name)
    with ExitStack() as another:

        def directories() -> Iterator[Path]:
            yield write_run(root, A)
            another.enter_context(sqlite.writing())
            yield write_run(root, B)

        with pytest.raises(StoreError, match="locked"):
            index(store, directories())
    assert ids(store) == [A]
    assert catch_up(store, root).added == [B]
