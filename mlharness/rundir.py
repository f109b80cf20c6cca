"""Run directories: the source of truth.

Each file is written whole or not at all; without ``result.json`` a run is incomplete.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlharness.errors import UserError

RESULT = "result.json"
RESULT_VERSION = 1
"""``schema_version`` of the results that this mlharness writes, and the newest that it reads."""
UNVERIFIED = "unverified: not verified by MLCommons"
"""What goes with every figure under MLPerf's rules."""
LABELS = "labels.json"
"""Labels that were changed after the run; they take the place of those in the result."""
PLAN = "plan.json"
PLAN_VERSION = 1
"""The same of plans."""
LABELS_VERSION = 1
"""The same of changed labels."""
SYSTEM = "system.json"
RUNNER_LOG = "runner.log"
MEASURED = "measured.json"
"""What the runner of a test said before and after it, beside LoadGen's files: the result is made of both."""
SCORED = "scored.json"
"""What the metric gave, beside LoadGen's files of the accuracy test."""
INCOMPLETE = "incomplete"
RESERVE = ".reserve"
RESERVE_BYTES = 1 << 18
"""Space kept for the result, which must be written even when the run has filled the disk."""
FULL_BYTES = 1 << 16
"""A disk with less free space is full: LoadGen's logs of one test take about as much."""


def create_run_directory(root: Path, model: str, scenario: str) -> Path:
    """A new directory ``<UTC time>-<model>-<scenario>-<6 hex>`` under ``root``, which is made when it is missing.

    Raises:
        UserError: the root is not a folder, or nothing can be written there.
    """
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    directory = root / f"{stamp}-{model}-{scenario}-{secrets.token_hex(3)}"
    try:
        directory.mkdir(parents=True)
        reserve(directory)
    except OSError as error:
        discard(directory)
        raise UserError(
            f"cannot make a run directory in {root}: {error.strerror}", "Choose a writable folder with --output DIR."
        ) from error
    return directory


def has_result(directory: Path) -> bool:
    """Whether a run has ended there, as far as one can see: False also for what cannot be a path."""
    try:
        return (directory / RESULT).is_file()
    except (OSError, ValueError):
        return False


def reserve(directory: Path) -> None:
    """Take the space that :func:`release` gives back. Raises OSError when there is not enough."""
    with (directory / RESERVE).open("wb") as file:
        file.write(os.urandom(RESERVE_BYTES))  # zeros take no space on a disk that compresses
        file.flush()
        os.fsync(file.fileno())


def release(directory: Path) -> None:
    """Give back the reserved space, right before what must not fail for want of it."""
    (directory / RESERVE).unlink(missing_ok=True)


def disk_is_full(directory: Path) -> bool:
    """True when next to nothing can be written there."""
    return shutil.disk_usage(directory).free < FULL_BYTES


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file atomically and durably. Raises UserError when the disk refuses."""
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"  # first, so that nothing is left when it fails
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror}", "Free some space, or use --output DIR.") from error


def set_aside(source: Path, target: Path) -> None:
    """Move LoadGen's files to another folder, so that neither the next test nor a reader takes them for a run's own."""
    files = [path for path in (*source.glob("mlperf_log_*"), source / MEASURED) if path.is_file()]
    if files:
        target.mkdir(parents=True, exist_ok=True)
    for path in files:
        path.replace(target / path.name)


def discard(directory: Path) -> None:
    """Remove a run that never measured anything."""
    shutil.rmtree(directory, ignore_errors=True)
