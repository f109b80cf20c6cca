"""Stores in trouble and hostile names: one clear message, and nothing of any run is lost."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlharness.builtin import store as builtin_store
from mlharness.errors import StoreError
from mlharness.payloads import RunFinished
from mlharness.store import opening
from tests.unit.cli.conftest import Mlh
from tests.unit.store.making import rewrite, write_run

OLD = "20260301T100000Z-tiny-Offline-aaaaaa"
NEW = "20260302T100000Z-tiny-Offline-bbbbbb"
HOSTILE = "\x1b]0;owned\x07<img src=x>|**b**\u202e\n=cmd()"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One run where mlh bench keeps them."""
    monkeypatch.delenv("MLH_STORE", raising=False)
    path = tmp_path / "mlh_data_dir" / "runs"
    write_run(path, OLD)
    return path


def listed(mlh: Mlh) -> dict[str, dict[str, str]]:
    """The ids of the runs in the store, with their labels."""
    ran = mlh("runs", "--json")
    assert ran.code == 0, ran.err
    return {row["run_id"]: row["labels"] for row in ran.document["runs"]}


class TestTwoStores:
    """Two stores that both have a run: its directory is the record, and neither store is."""

    @pytest.fixture
    def one(self, tmp_path: Path, root: Path, mlh: Mlh, monkeypatch: pytest.MonkeyPatch) -> str:
        """The first of two stores that both have the run; the second is chosen."""
        for name in ("one", "other"):
            monkeypatch.setenv("MLH_STORE", str(tmp_path / f"{name}.sqlite3"))
            assert list(listed(mlh)) == [OLD]
        return str(tmp_path / "one.sqlite3")

    def test_a_label_that_is_set_by_way_of_one_is_seen_in_the_other(
        self, mlh: Mlh, one: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert mlh("runs", "label", OLD, "checked=yes").code == 0
        monkeypatch.setenv("MLH_STORE", one)
        assert listed(mlh) == {OLD: {"who": "ci", "checked": "yes"}}

    def test_a_run_that_is_removed_by_way_of_one_is_told_as_gone_by_the_other(
        self, mlh: Mlh, one: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert mlh("runs", "rm", OLD, "--yes").code == 0
        assert listed(mlh) == {}
        monkeypatch.setenv("MLH_STORE", one)
        ran = mlh("runs", "show", OLD)
        assert ran.code == 0
        assert "which is gone" in ran.err
        assert mlh("runs", "index").code == 0
        assert listed(mlh) == {}

    def test_a_store_that_is_lost_takes_nothing_with_it(self, mlh: Mlh, one: str) -> None:
        Path(one).with_name("other.sqlite3").unlink()
        assert list(listed(mlh)) == [OLD]


class TestLocked:
    """SQLite, while another process does not let go of it."""

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(opening, "BUSY_S", 0.05)

    @contextmanager
    def locked(self, root: Path) -> Iterator[None]:
        holder = sqlite3.connect(root.parent / "store.sqlite3", isolation_level=None)
        try:
            holder.execute("BEGIN IMMEDIATE")
            yield
            holder.execute("ROLLBACK")
        finally:
            holder.close()

    def test_it_is_read_and_says_that_runs_may_be_missing(self, mlh: Mlh, root: Path) -> None:
        assert list(listed(mlh)) == [OLD]
        write_run(root, NEW, {"started": "2026-03-02T10:00:00.000+00:00"})
        with self.locked(root):
            ran = mlh("runs")
            assert ran.code == 0
            assert OLD in ran.out
            assert NEW not in ran.out
            assert "warning: runs may be missing" in ran.err
            assert "is locked by another process" in ran.err
        assert list(listed(mlh)) == [NEW, OLD]

    def test_a_run_that_ends_meanwhile_is_added_later(self, mlh: Mlh, root: Path) -> None:
        listed(mlh)
        directory = write_run(root, NEW, {"started": "2026-03-02T10:00:00.000+00:00"})
        with self.locked(root), pytest.raises(StoreError, match="is locked by another process"):
            builtin_store.mlh_on_run_finished(RunFinished(NEW, directory, {}))
        assert list(listed(mlh)) == [NEW, OLD]

    def test_a_label_is_kept_in_the_directory_and_the_store_catches_up(self, mlh: Mlh, root: Path) -> None:
        listed(mlh)
        with self.locked(root):
            ran = mlh("runs", "label", OLD, "a=b")
            assert ran.code == 2
            assert "is locked by another process" in ran.err
        assert listed(mlh)[OLD]["a"] == "b"


class TestHostileNames:
    """Names and labels are shown as what they are, and steer nothing."""

    @pytest.fixture
    def hostile(self, root: Path, mlh: Mlh) -> Path:
        rewrite(root / OLD, {"labels": {HOSTILE: HOSTILE, "\x1b[31m": "red"}})
        write_run(root, NEW, {"model.name": HOSTILE, "labels": {}, "framework.version": HOSTILE})
        return root

    @pytest.mark.parametrize(
        "words",
        [
            ("runs",),
            ("runs", "show", OLD),
            ("runs", "show", NEW),
            ("runs", "label", OLD, f"{HOSTILE}={HOSTILE}"),
            ("compare", OLD, NEW, "--anyway"),
            ("compare", OLD, NEW, "--anyway", "--format", "markdown"),
            ("compare", OLD, NEW),
            ("runs", "show", HOSTILE),
            ("runs", "--label", HOSTILE),
            ("runs", "index"),
        ],
    )
    def test_a_terminal_is_not_steered(self, mlh: Mlh, hostile: Path, words: tuple[str, ...]) -> None:
        ran = mlh(*words)
        assert ran.code in (0, 2)
        assert "Traceback" not in ran.err
        assert not {"\x1b", "\x07", "\u202e"} & set(ran.out + ran.err)

    def test_they_come_back_as_they_were(self, mlh: Mlh, hostile: Path) -> None:
        assert listed(mlh)[OLD] == {HOSTILE: HOSTILE, "\x1b[31m": "red"}
        rows = list(csv.DictReader(io.StringIO(mlh("runs", "export", "--format", "csv").out)))
        assert sorted(row["model"] for row in rows) == sorted([HOSTILE, "tiny"])
        assert [row["run_id"] for row in mlh("runs", "--label", "\x1b[31m", "--json").document["runs"]] == [OLD]

    def test_a_folder_with_such_a_name_is_told_and_left(self, mlh: Mlh, hostile: Path, tmp_path: Path) -> None:
        stick = tmp_path / "stick"
        directory = write_run(stick, NEW, {"run_id": "../../x"}, folder="\x1b[31mred")
        ran = mlh("runs", "import", str(stick))
        assert ran.code == 2
        assert "is no name of a run directory" in ran.out
        assert "\x1b" not in ran.out + ran.err
        assert directory.is_dir()
