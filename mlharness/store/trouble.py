"""What a database complains of, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from mlharness.errors import StoreError
from mlharness.rundir import disk_is_full

_BUGS = (DataError, IntegrityError, ProgrammingError)
_FORBIDDEN = ("42501", "3F000")
"""PostgreSQL's insufficient_privilege and invalid_schema_name, which psycopg counts among a programmer's errors."""
_ELSEWHERE = "or set MLH_STORE to another file."
_SQLITE = {
    "locked": ("is locked by another process", "Try again when that has ended."),
    "full": ("is on a disk that is full", f"Free some space, {_ELSEWHERE}"),
    "readonly": ("cannot be written", f"Check its permissions, {_ELSEWHERE}"),
    "unable to open": ("cannot be opened", f"Check its permissions, {_ELSEWHERE}"),
    "not a database": ("is no SQLite file", "Move it away, then make it anew from the run directories: mlh runs index"),
    "malformed": ("is damaged", "Move it away, then make it anew from the run directories: mlh runs index"),
}
"""By SQLite's own words: what it means, and the remedy."""


@contextmanager
def explained(name: str, url: URL) -> Iterator[None]:
    """Raise StoreError for what the database or the way to it is to blame for."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, _BUGS) and getattr(error.orig, "sqlstate", "") not in _FORBIDDEN:
            raise
        explain = sqlite_error if url.get_backend_name() == "sqlite" else server_error
        raise explain(name, " ".join(str(error.orig).split())) from error


def sqlite_error(name: str, words: str) -> StoreError:
    """What SQLite's words mean for the file ``name``."""
    if "disk I/O error" in words and disk_is_full(Path(name).parent):
        words = f"full: {words}"
    for key, (meaning, remedy) in _SQLITE.items():
        if key in words:
            return StoreError(f"the store {name} {meaning} ({words})", remedy)
    return StoreError(f"the store {name} cannot be used: {words}", f"Check its folder, {_ELSEWHERE}")


def server_error(name: str, words: str) -> StoreError:
    """What PostgreSQL's words, or those of the way to it, mean."""
    if "lock timeout" in words:
        return StoreError(f"the store {name} is locked by another process", "Try again when that has ended.")
    return StoreError(
        f"the store {name} cannot be used: {words}",
        "Check the server and MLH_STORE; run directories are complete without it, and mlh runs adds them later.",
    )
