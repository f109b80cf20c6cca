"""A store on each database, empty for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from mlharness.store.opening import Store, make_engine, open_store, parse
from tests.postgresql import Server, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server for all tests; those that want it are skipped where there is none."""
    with running_server() as found:
        yield found


@pytest.fixture
def empty_database(server: Server) -> str:
    """The URL of a database without tables."""
    with make_engine(parse(server.url), "").begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What names a store that is not there yet, on each database."""
    if request.param == "sqlite":
        return str(tmp_path / "store" / "runs.sqlite3")
    found: str = request.getfixturevalue("empty_database")
    return found


@pytest.fixture
def store(url: str) -> Store:
    """An empty store on each database."""
    return open_store(url)


@pytest.fixture
def sqlite(tmp_path: Path) -> Store:
    """An empty store in a file."""
    return open_store(str(tmp_path / "store" / "runs.sqlite3"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root of run directories."""
    path = tmp_path / "runs"
    path.mkdir()
    return path
