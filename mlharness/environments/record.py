"""What an environment says of itself: ``mlharness-env.json``, written last, so that without it there is none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mlharness.environments.origins import Member
from mlharness.errors import UserError

MARKER = "mlharness-env.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Record:
    """One complete environment.

    ``distribution`` carries the framework (a variant's differs from the framework's own); ``members`` are the kernel
    and the plugins; ``packages`` is everything installed, name and version. Times are UTC, as results write them.
    """

    name: str
    framework: str
    framework_version: str
    distribution: str
    variant: str
    python: str
    interpreter: str
    kernel_version: str
    members: tuple[Member, ...]
    packages: Mapping[str, str]
    requires: tuple[str, ...]
    created: str
    schema_version: int = SCHEMA_VERSION

    @property
    def site(self) -> Path:
        """The environment's ``site-packages``."""
        return site_of(Path(self.interpreter).parents[1], self.python)


def site_of(folder: Path, python: str) -> Path:
    """The ``site-packages`` of the virtual environment in a folder."""
    return folder / "lib" / f"python{short(python)}" / "site-packages"


def short(python: str) -> str:
    """``3.11`` of ``3.11.7``."""
    return ".".join(python.split(".")[:2])


def read_record(folder: Path) -> Record | None:
    """The record of the environment in a folder.

    None when it is not complete, was made by another mlharness, or has been moved: its paths would lead elsewhere.
    """
    try:
        record = msgspec.json.decode((folder / MARKER).read_bytes(), type=Record)
        stayed = folder.samefile(Path(record.interpreter).parents[1])
    except (OSError, IndexError, msgspec.MsgspecError):
        return None
    return record if stayed and record.schema_version == SCHEMA_VERSION else None


def write_record(folder: Path, record: Record) -> None:
    """Declare the environment complete. Raises UserError when the disk refuses."""
    partial = folder / f".{MARKER}.part"
    try:
        with partial.open("wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(folder / MARKER)
    except OSError as error:
        raise UserError(f"cannot write {folder / MARKER}: {error.strerror}", "Free some space.") from error
