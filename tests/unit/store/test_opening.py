"""Where the store is, and what stands in the way of opening it."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from mlharness.errors import StoreError
from mlharness.store import opening
from mlharness.store.opening import Store, open_store, parse
from tests.postgresql import Server, free_port


def test_the_default_is_a_file_under_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("MLH_STORE", raising=False)
    store = open_store()
    assert (store.name, store.shared) == (str(tmp_path / "data" / "store.sqlite3"), False)
    assert Path(store.name).is_file()


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_the_variable_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    path = tmp_path / "a folder" / "x.db"
    monkeypatch.setenv("MLH_STORE", form.format(path))
    assert open_store().name == str(path)
    assert path.is_file()


def test_a_store_is_opened_again_without_alembic(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(url)
    monkeypatch.setattr(opening, "upgrade", lambda *arguments: pytest.fail("nothing is to be migrated"))
    assert open_store(url).shared is url.startswith("postgresql")


def test_sqlite_lets_readers_and_a_writer_work_at_once(sqlite: Store) -> None:
    with sqlite.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    with sqlite.writing() as writer:
        writer.execute(text("DELETE FROM mlh_runs"))
        with sqlite.reading() as reader:
            assert reader.execute(text("SELECT count(*) FROM mlh_runs")).scalar() == 0


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_postgresql_is_spoken_to_by_psycopg(scheme: str) -> None:
    assert parse(f"{scheme}://me:secret@db/runs").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("where", "words", "remedy"),
    [
        ("postgrseql://db/runs", "there is no store postgrseql://", "Did you mean 'postgresql'?"),
        ("mysql://db/runs", "there is no store mysql://", "Known: postgresql, sqlite."),
        ("sqlite://", "a store in memory would forget everything", "postgresql://USER"),
        ("sqlite:///:memory:", "a store in memory", "postgresql://USER"),
        ("postgresql://db:port/runs", "the store's URL cannot be read", "postgresql://USER"),
    ],
)
def test_what_names_no_store(where: str, words: str, remedy: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        open_store(where)
    assert remedy in caught.value.remedy


def test_without_the_driver_the_remedy_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match="needs psycopg") as caught:
        open_store("postgresql://me:secret@127.0.0.1/runs")
    assert "mlharness[postgresql]" in caught.value.remedy
    assert "secret" not in caught.value.message


def test_a_server_that_does_not_answer_is_told_without_its_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"the store postgresql\+psycopg://me:\*\*\*@127\.0\.0\.1") as caught:
        open_store(f"postgresql://me:secret@127.0.0.1:{free_port()}/runs")
    assert "secret" not in str(caught.value)
    assert "mlh runs adds them later" in caught.value.remedy


def test_a_database_that_the_server_does_not_have(server: Server) -> None:
    with pytest.raises(StoreError, match='database "nothing" does not exist'):
        open_store(server.url.replace("/postgres", "/nothing"))


def test_who_may_not_make_tables_is_told(empty_database: str, server: Server) -> None:
    with opening.make_engine(parse(server.url), "").begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS guest"))
        connection.execute(text("CREATE ROLE guest LOGIN"))
    with pytest.raises(StoreError, match="no schema has been selected to create in"):
        open_store(empty_database.replace("tester@", "guest@"))


@pytest.mark.parametrize(
    "content", [b"no database at all, and longer than its header " * 100, b"SQLite format 3\0" + b"x" * 4096]
)
def test_a_file_that_is_no_store(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=str(path)) as caught:
        open_store(str(path))
    assert "mlh runs index" in caught.value.remedy
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made") as caught:
        open_store(str(tmp_path / "file" / "store.sqlite3"))
    assert "MLH_STORE" in caught.value.remedy


def test_a_store_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_store_that_cannot_be_written(sqlite: Store) -> None:
    Path(sqlite.name).chmod(0o444)
    with pytest.raises(StoreError, match="cannot be written"), sqlite.writing() as connection:
        connection.execute(text("DELETE FROM mlh_runs"))


def test_a_locked_store_is_waited_for_and_then_told(sqlite: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_S", 0.05)
    impatient = open_store(sqlite.name)
    holder = sqlite3.connect(sqlite.name, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked by another process"), impatient.writing():
            pass
        with impatient.reading() as connection:
            assert connection.execute(text("SELECT count(*) FROM mlh_runs")).scalar() == 0
        holder.execute("ROLLBACK")
        with impatient.writing():
            pass
    finally:
        holder.close()


def test_a_writer_on_a_server_waits_for_another_and_is_then_told(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_S", 0.05)
    store = open_store(empty_database)
    with store.writing(), pytest.raises(StoreError, match="is locked by another process"), store.writing():
        pass


def test_a_server_that_drops_the_connection_is_told(empty_database: str, server: Server) -> None:
    store = open_store(empty_database)

    def write_and_be_dropped() -> None:
        with store.writing() as connection:
            own = connection.execute(text("SELECT pg_backend_pid()")).scalar()
            with opening.make_engine(parse(server.url), "").begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
            connection.execute(text("SELECT 1"))

    with pytest.raises(StoreError, match="cannot be used"):
        write_and_be_dropped()
