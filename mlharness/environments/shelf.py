"""The environments of a user: one folder each under ``envs`` in the data directory."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mlharness.environments.record import MARKER, Record, read_record
from mlharness.errors import UserError, did_you_mean
from mlharness.interrupts import interruptible
from mlharness.paths import data_dir

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\Z")
LOOK_S = 0.2
"""How often a waiting ``mlh`` looks whether the lock is free, and whether it is to stop."""


def shelf() -> Path:
    """The folder of all environments (not created)."""
    return data_dir().absolute() / "envs"


def folder_of(name: str) -> Path:
    """The folder of one environment (not created). Raises UserError for a name that is no folder's."""
    if not _NAME.match(name):
        raise UserError(
            f"{name!r} cannot name an environment",
            "Use letters, digits, '.', '_', '+' and '-', and begin with neither.",
        )
    return shelf() / name


def environments() -> list[Record]:
    """Every complete environment, the newest first. Half-made ones have no record, and are not seen."""
    found = [read_record(marker.parent) for marker in sorted(shelf().glob(f"*/{MARKER}"))]
    return sorted((record for record in found if record), key=lambda record: record.created, reverse=True)


def find(name: str) -> Record:
    """One environment. Raises UserError when there is none of that name."""
    record = read_record(folder_of(name))
    if record is None:
        raise UserError(
            f"no environment is named {name!r}", did_you_mean(name, (record.name for record in environments()))
        )
    return record


@contextmanager
def alone(name: str, say: Callable[[str], None]) -> Iterator[Path]:
    """Hold the lock of an environment's name, and get its folder; another ``mlh`` that has it is waited for.

    Raises:
        KeyboardInterrupt: Ctrl-C while waiting.
        UserError: nothing can be written there.
    """
    folder = folder_of(name)
    # Beside the folder, since that is removed and made anew; left there, since whoever waits has it open.
    lock = FileLock(shelf() / f".{name}.lock")
    try:
        shelf().mkdir(parents=True, exist_ok=True)
        _acquire(lock, name, say)
    except OSError as error:
        remedy = "Set MLH_DATA_DIR to a folder of yours."
        raise UserError(f"nothing can be written to {shelf()}: {error.strerror}", remedy) from error
    try:
        yield folder
    finally:
        lock.release()


def _acquire(lock: FileLock, name: str, say: Callable[[str], None]) -> None:
    with interruptible() as interrupts:
        told = False
        while True:
            try:
                lock.acquire(timeout=LOOK_S if told else 0, poll_interval=LOOK_S / 2)
            except Timeout:
                interrupts.check()
                if not told:
                    say(f"another mlh is at work on {name}: waiting for it")
                told = True
            else:
                return


def discard(folder: Path) -> None:
    """Remove an environment, or what there is of it. The record goes first: what is half removed is not used."""
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise UserError(f"{folder} cannot be removed", "Check its permissions, and remove it by hand.")


def remove(name: str, say: Callable[[str], None]) -> None:
    """Remove an environment. Raises UserError when there is none of that name."""
    find(name)
    with alone(name, say) as folder:
        discard(folder)
