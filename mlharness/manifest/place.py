"""Where in a manifest the cause of an error stands that only shows once other things are known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlharness.errors import ManifestError, UserError
from mlharness.manifest.located import KeyPath
from mlharness.manifest.problems import dotted, one_line
from mlharness.manifest.published.upgrade import read_upgraded


def place(path: Path, *key: str | int) -> str:
    """``file:line: key`` of a key, or of the nearest thing around one that is not there.

    The file is read once more, since manifests do not carry their lines; one that is gone by now has no line.
    """
    try:
        located = read_upgraded(path)
    except ManifestError:
        return one_line(f"{path}: {dotted(key)}")
    return one_line(f"{path}:{located.line(key)}: {dotted(located.origin(key))}")


def find_text(path: Path, text: str) -> KeyPath:
    """The key of the first value in a manifest that is this text; empty when there is none."""
    try:
        located = read_upgraded(path)
    except ManifestError:
        return ()
    return next((key for key, value in located.values.items() if key and value.written == text), ())


@contextmanager
def placed(path: Path, *key: str | int) -> Iterator[None]:
    """Put the place of a key before the message of a UserError, whose class stays."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{place(path, *key)}: {error.message}", error.remedy) from error
