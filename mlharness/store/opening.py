"""Opens the store: a SQLite file under the data directory, or what ``MLH_STORE`` names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, text
from sqlalchemy.pool import NullPool

from mlharness.errors import StoreError, did_you_mean
from mlharness.paths import data_dir
from mlharness.store.migrating import HEAD, revision_of, upgrade
from mlharness.store.trouble import explained

VARIABLE = "MLH_STORE"
FILE = "store.sqlite3"
BUSY_S = 10.0
"""How long a writer waits for another one; also the longest wait for a server to answer, and for a locked file."""
CONNECT_S = 5
_WRITERS = 0x6D6C685F  # the key of PostgreSQL's advisory lock: "mlh_"
_BEGIN = "mlh_begin"
"""The connection's option that holds the statement by which SQLite begins; empty for what no transaction may hold."""
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@dataclass(frozen=True)
class Store:
    """An open store, with tables in the form that this mlharness knows.

    ``name`` is what messages call it: a path, or a URL without its password. ``shared`` is true for a server, which
    may hold runs of other people and other hosts.
    """

    engine: Engine
    name: str
    shared: bool

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the store. Raises StoreError."""
        with explained(self.name, self.engine.url), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction, the only one that writes; committed at the end. Raises StoreError."""
        with explained(self.name, self.engine.url), self.engine.connect() as connection:
            connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            with connection.begin():
                if self.shared:
                    connection.execute(text(f"SET LOCAL lock_timeout = '{round(1000 * BUSY_S)}ms'"))
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITERS})
                yield connection


def open_store(where: str | None = None) -> Store:
    """The store that ``where`` names, or else ``MLH_STORE``, or else the user's own; made when it is not there.

    Raises:
        StoreError: it cannot be reached, read or made, or belongs to a newer mlharness.
    """
    url = parse(where or os.environ.get(VARIABLE) or str(data_dir() / FILE))
    file = Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None
    name = str(file) if file else url.render_as_string(hide_password=True)
    store = Store(make_engine(url, name), name, shared=file is None)
    if file is not None:
        make_folder(file.parent)
    with store.reading() as connection:
        found = revision_of(connection)
    if found != HEAD:
        prepare(store, file)
    return store


def parse(where: str) -> URL:
    """A URL of SQLAlchemy's form from one, or from the path of a SQLite file. Raises StoreError for any other."""
    if "://" not in where:
        return URL.create("sqlite", database=str(Path(where).expanduser()))
    try:
        url = sqlalchemy.make_url(where)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise StoreError(f"{VARIABLE}: the store's URL cannot be read", _FORMS) from error
    scheme = url.drivername.partition("+")[0]
    if scheme not in _DRIVERS:
        raise StoreError(f"{VARIABLE}: there is no store {scheme}://", did_you_mean(scheme, ("postgresql", "sqlite")))
    if scheme == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreError(f"{VARIABLE}: a store in memory would forget everything", _FORMS)
    return url.set(drivername=_DRIVERS[scheme])


_FORMS = "Write the path of a SQLite file, or postgresql://USER:PASSWORD@HOST/DATABASE."


def make_engine(url: URL, name: str) -> Engine:
    """The engine; every transaction has a connection of its own. Raises StoreError when the driver is missing."""
    sqlite = url.get_backend_name() == "sqlite"
    waits: dict[str, Any] = {"timeout": BUSY_S} if sqlite else {"connect_timeout": CONNECT_S}
    try:
        engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=waits)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the store {name} needs psycopg, which is not installed", "pip install 'mlharness[postgresql]'"
        ) from error
    if sqlite:
        event.listen(engine, "connect", set_up_sqlite)
        event.listen(engine, "begin", begin_in_sqlite)
    return engine


def set_up_sqlite(connection: Any, record: Any) -> None:
    """Called for each new connection: transactions are ours to begin, rows go with what they belong to."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def begin_in_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: one that began as a reader could not get it after another's commit."""
    statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


def make_folder(folder: Path) -> None:
    """Make the folder of a SQLite file. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the store's folder {folder} cannot be made: {error.strerror}", f"Set {VARIABLE} to another file."
        ) from error


def prepare(store: Store, file: Path | None) -> None:
    """Make or migrate the tables, in one transaction; a process that comes second finds it done."""
    with first(file):
        if file is not None:
            with store.reading() as connection:  # readers and a writer do not wait for each other; the file keeps it
                connection.execution_options(**{_BEGIN: ""}).exec_driver_sql("PRAGMA journal_mode = WAL")
        with store.writing() as connection:
            if revision_of(connection) != HEAD:
                upgrade(connection, store.name)


def first(file: Path | None) -> AbstractContextManager[Any]:
    """Held by one process at a time. A server has a lock of its own; SQLite's is not asked about the journal mode."""
    if file is None:
        return nullcontext()
    import filelock  # a store is made once

    lock = filelock.FileLock(f"{file}.lock", timeout=BUSY_S)
    try:
        return lock.acquire()
    except filelock.Timeout as error:
        raise StoreError(
            f"the store {file} is being made by another process for {BUSY_S:g} s", "Try again; else end that process."
        ) from error
    except OSError as error:
        raise StoreError(f"the store {file} cannot be made: {error.strerror}", "Check its folder.") from error
