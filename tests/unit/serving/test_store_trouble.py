"""What becomes of the pages when the store cannot be used, and when it can be used again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from mlharness.serving import shelf
from mlharness.serving.shelf import READING
from mlharness.store import opening
from mlharness.store.opening import FILE, open_store
from tests.postgresql import running_server
from tests.unit.serving.conftest import OTHER, RUN, Asked, headline, words
from tests.unit.store.making import write_run


@pytest.fixture
def file(run: Path) -> Path:
    """The store's file, which is not there yet."""
    return run.parents[1] / FILE


def check_all_tell(ask: Asked, message: str) -> None:
    """Every page says what is wrong with the store, and nothing counts as a bug."""
    for path in ("/", f"/runs/{RUN}", "/sweeps", f"/compare?run={RUN}&run={OTHER}"):
        answer = ask(path)
        assert answer.status_code == 503, path
        assert message in headline(answer)
        assert "secret" not in answer.text
    assert ask.failed == []


def test_a_server_that_is_gone_is_told(ask: Asked, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("MLH_STORE", "postgresql://nobody:secret@127.0.0.1:1/nothing")
    check_all_tell(ask, "the store postgresql+psycopg://nobody:***@127.0.0.1:1/nothing cannot be used")
    monkeypatch.delenv("MLH_STORE")
    assert RUN in ask.text("/")


def test_a_server_that_goes_and_comes_back(ask: Asked, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_server() as server:
        monkeypatch.setenv("MLH_STORE", server.url)
        assert RUN in ask.text("/?model=ti*&sort=-figure")
        assert ask(f"/runs/{RUN}").status_code == 200
        server.stop()
        check_all_tell(ask, "cannot be used")
        server.start()
        assert RUN in ask.text("/?label=who=ci&sort=accuracy")


def test_a_store_of_a_newer_mlharness_is_told(ask: Asked, file: Path) -> None:
    ask.text("/")
    with open_store().writing() as connection:
        connection.execute(text("UPDATE mlh_version SET version_num = '9999'"))
    check_all_tell(ask, "was made by a newer mlharness")
    for path in file.parent.glob(f"{FILE}*"):
        path.unlink()
    assert ask("/").status_code == 200


def test_a_damaged_store_is_told(ask: Asked, file: Path) -> None:
    file.write_bytes(b"no database" * 100)
    check_all_tell(ask, "is no SQLite file")
    file.unlink()
    assert RUN in ask.text("/")


def test_a_store_locked_for_writers_shows_what_it_has(
    ask: Asked, run: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask.text("/")
    monkeypatch.setattr(opening, "BUSY_S", 0.01)
    monkeypatch.setattr(shelf, "FRESH_S", -1.0)
    write_run(run.parent, OTHER)
    with open_store().writing():
        shown = words(ask.text("/"))
    assert f"runs may be missing: the store {file} is locked by another process" in shown
    assert RUN[-6:] in shown
    assert OTHER[-6:] not in shown
    assert OTHER[-6:] in words(ask.text("/"))


def test_while_one_reads_new_runs_the_others_see_what_there_is(
    ask: Asked, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask.text("/")
    monkeypatch.setattr(shelf, "FRESH_S", -1.0)
    seen: list[str] = []

    def look(store: object) -> list[str]:
        with ThreadPoolExecutor(1) as pool:
            seen.append(words(pool.submit(ask.text, "/").result()))
        return []

    monkeypatch.setattr(shelf, "missing", look)
    assert READING not in words(ask.text("/"))
    assert READING in seen[0]
    assert RUN[-6:] in seen[0]


def test_new_runs_are_looked_for_but_not_all_the_time(ask: Asked, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask.text("/")
    write_run(run.parent, OTHER)
    monkeypatch.setattr(shelf, "FRESH_S", 1e9)
    assert OTHER not in ask.text("/")
    monkeypatch.setattr(shelf, "FRESH_S", -1.0)
    assert OTHER in ask.text("/")
