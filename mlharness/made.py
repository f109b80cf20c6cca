"""Files that a source makes itself, as a zoo's models: named by a URI's query, made once, kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl

import filelock

from mlharness.errors import UserError, did_you_mean
from mlharness.manifest.files import verify

MOST_SEED = (1 << 32) - 1
"""The largest seed that every framework's generator takes."""


def made_before(path: Path, uri: str, sha256: str | None) -> Path | None:
    """The file when it is there. Raises UserError when it has another checksum, or the cache cannot be read."""
    try:
        there = path.is_file()
    except OSError as error:
        raise unusable_cache(path, error) from error
    return verify(path, sha256, uri) if there else None


def make_once(path: Path, make: Callable[[Path], None]) -> None:
    """Make the file unless it is there; of several processes that ask for it, one makes it and the others wait.

    Args:
        path: where it is kept.
        make: writes it to the path that it is given, of the same suffix, which becomes ``path`` when it is complete.

    Raises:
        UserError: the cache cannot be used; and whatever ``make`` raises.
    """
    aside = path.with_name(f"incomplete{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.parent / "lock"):
            if path.is_file():
                return
            try:
                make(aside)
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
    except OSError as error:
        raise unusable_cache(path, error) from error


def unusable_cache(path: Path, error: OSError) -> UserError:
    """The cache's folder is not what it should be."""
    return UserError(
        f"the cache {path.parent} cannot be used: {error.strerror or error}",
        "Free space there, check its permissions, or set MLH_CACHE_DIR.",
    )


def parse_query(uri: str, text: str, keys: Sequence[str], form: str) -> dict[str, str]:
    """The values of a URI's query by key.

    Args:
        uri: for messages.
        text: the query, without its question mark.
        keys: those that may stand there.
        form: the remedy for what is no query.

    Raises:
        UserError: it cannot be read, or a key is unknown, empty, or there twice.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=16)
    except ValueError as error:
        raise UserError(f"{uri}: the query cannot be read: {error}", form) from error
    query: dict[str, str] = {}
    for key, value in pairs:
        if key not in keys:
            raise UserError(f"{uri}: unknown query parameter {key!r}", did_you_mean(key, keys))
        if key in query:
            raise UserError(f"{uri}: the query parameter {key} stands there twice", "Keep one of them.")
        if not value:
            raise UserError(f"{uri}: the query parameter {key} is empty", f"Give {key} a value, or leave it out.")
        query[key] = value
    return query


def parse_seed(uri: str, text: str) -> int:
    """The seed of random weights. Raises UserError unless it is a whole number that every generator takes."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= MOST_SEED):
        raise UserError(f"{uri}: seed is {text!r}", f"Give a whole number from 0 to {MOST_SEED}.")
    return int(text)
