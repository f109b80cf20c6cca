"""What the store keeps of a run, read from its directory."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from mlharness.errors import UserError
from mlharness.rundir import LABELS, LABELS_VERSION, PLAN, PLAN_VERSION, RESULT, RESULT_VERSION

LARGEST_BYTES = 1 << 26
"""A result is a few kilobytes; what is larger than this is not read into memory."""


NEWEST = {RESULT: RESULT_VERSION, PLAN: PLAN_VERSION, LABELS: LABELS_VERSION}
"""The newest ``schema_version`` of each file that this mlharness reads."""


class IncompleteRunError(UserError):
    """The directory has no result: the run goes on, or was killed, or this is no run directory."""


class _Model(msgspec.Struct):
    name: str
    version: str
    weights: str


class _Framework(msgspec.Struct):
    name: str
    version: str | None
    device: str
    instances: int
    threads: int
    batch_size: int


class _DataSet(msgspec.Struct):
    name: str


class _Metric(msgspec.Struct):
    name: str
    value: float
    unit: str


class _Latency(msgspec.Struct):
    mean: float
    p50: float
    p90: float
    p99: float


class _Accuracy(msgspec.Struct):
    metric: str
    value: float
    unit: str
    passed: bool | None


class _Quality(msgspec.Struct):
    grade: str


class _System(msgspec.Struct):
    host: str = ""  # a run that ended early has described no host
    cpu: str = ""


class _Result(msgspec.Struct):
    """The part of ``result.json`` that a row is made of."""

    run_id: str
    started: datetime
    finished: datetime
    status: str
    rules: str
    scenario: str
    mode: str
    plan_sha256: str
    model: _Model
    framework: _Framework
    dataset: _DataSet
    metric: _Metric | None
    latency_ns: _Latency | None
    accuracy: _Accuracy | None
    quality: _Quality | None
    samples: int | None
    queries: int | None
    duration_s: float | None
    system: _System
    labels: dict[str, str]


@dataclass(frozen=True)
class Record:
    """A run as the store keeps it: the columns of its row, its labels, the text of its result.

    ``problem`` says which file beside the result is damaged, and what is done without it; mostly empty.
    """

    row: dict[str, Any]
    labels: dict[str, str]
    document: str
    problem: str = ""

    @property
    def run_id(self) -> str:
        """The run's name everywhere."""
        return str(self.row["run_id"])

    @property
    def directory(self) -> Path:
        """Where it was read."""
        return Path(self.row["root"], self.row["folder"])


def read_record(directory: Path) -> Record:
    """Read a run directory.

    Raises:
        IncompleteRunError: it has no ``result.json``.
        UserError: ``result.json`` is damaged, from a newer mlharness, or no result.
    """
    directory = directory.resolve()  # one directory has one name, whichever way one comes to it
    stamp = directory_stamp(directory)  # before its files are read: a change after that is seen the next time
    result = read_result(directory)
    labels, problem = read_labels(directory, result)
    row = {**columns(result, directory / RESULT), "kept_on": platform.node(), "stamp": stamp}
    row |= {"root": str(directory.parent), "folder": directory.name}
    labels = {clean(key): clean(value) for key, value in labels.items()}
    return Record({key: clean(value) for key, value in row.items()}, labels, json.dumps(result), problem)


def directory_stamp(directory: Path) -> int:
    """When an entry of the directory was last made, replaced or removed (ns); 0 for no directory."""
    try:
        return directory.stat().st_mtime_ns
    except OSError:
        return 0


def read_result(directory: Path) -> dict[str, Any]:
    """The document of ``result.json``. Raises UserError as :func:`read_record` does."""
    path = directory / RESULT
    if missing := absence(directory):
        raise IncompleteRunError(
            f"{directory} {missing}", "A run directory without it is incomplete: the run goes on, or was killed."
        )
    document = read_json(path)
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise UserError(f"{path} is no result of mlharness: schema_version is {version!r}", "See: mlh runs --help")
    return document


def absence(directory: Path) -> str:
    """Why there is no result, in words that go on from the directory's name; empty when there is one."""
    try:
        (directory / RESULT).stat()
    except FileNotFoundError:
        return f"has no {RESULT}" if directory.is_dir() else "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def read_json(path: Path) -> dict[str, Any]:
    """A file of a run directory that holds one JSON object, of a version that this mlharness reads.

    Raises:
        UserError: it is truncated, something else, or newer.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"{path} is larger than {LARGEST_BYTES >> 20} MiB: no file of mlharness", "Remove it.")
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "Check its permissions.") from error
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
        raise UserError(f"{path} is damaged: {error}", "Restore it from a copy, or remove it.") from error
    if not isinstance(document, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object", "Restore it from a copy, or remove it.")
    refuse_newer(document, path)
    return document


def refuse_newer(document: dict[str, Any], path: Path) -> None:
    """Raise UserError for a file of a newer mlharness: what its keys mean is not known here."""
    version, newest = document.get("schema_version"), NEWEST.get(path.name)
    if newest is not None and isinstance(version, int) and version > newest:
        raise UserError(
            f"{path} has schema_version {version}, and this mlharness reads {newest}",
            "Upgrade mlharness to read this run.",
        )


def read_labels(directory: Path, result: dict[str, Any]) -> tuple[dict[str, str], str]:
    """A run's labels: those of ``labels.json``, else those of its start; and what is wrong with the former."""
    started_with = dict(result.get("labels") or {})
    path = directory / LABELS
    if not path.is_file():
        return started_with, ""
    try:
        changed = msgspec.convert(read_json(path).get("labels"), dict[str, str])
    except UserError as error:
        return started_with, f"{error.message}; the labels of the run's start are used"
    except msgspec.ValidationError as error:
        return started_with, f"{path} is damaged: {error}; the labels of the run's start are used"
    return changed, ""


def columns(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """The columns of a row that come from the result. Raises UserError when ``document`` is no result."""
    try:
        result = msgspec.convert(document, _Result)
    except msgspec.ValidationError as error:
        raise UserError(
            f"{path} is no result of mlharness: {error}", "Restore it from a copy, or remove it."
        ) from error
    check_run_id(result.run_id, path)
    return {
        "run_id": result.run_id,
        "started": utc(result.started),
        "finished": utc(result.finished),
        **{name: getattr(result, name) for name in ("status", "rules", "scenario", "mode", "plan_sha256")},
        **{name: getattr(result, name) for name in ("samples", "queries", "duration_s")},
        "model": result.model.name,
        "model_version": result.model.version,
        "weights": result.model.weights,
        "framework": result.framework.name,
        "framework_version": result.framework.version,
        **{name: getattr(result.framework, name) for name in ("device", "instances", "threads", "batch_size")},
        "dataset": result.dataset.name,
        "host": result.system.host,
        "cpu": result.system.cpu,
        **figures(result),
        "content_sha256": content_sha256(document),
    }


def figures(result: _Result) -> dict[str, Any]:
    """The columns of what was found; None where there is none."""
    metric, latency, accuracy = result.metric, result.latency_ns, result.accuracy
    return {
        "metric": metric and metric.name,
        "value": metric and metric.value,
        "unit": metric and metric.unit,
        **{f"{name}_ns": latency and getattr(latency, name) for name in ("mean", "p50", "p90", "p99")},
        "accuracy_metric": accuracy and accuracy.metric,
        "accuracy": accuracy and accuracy.value,
        "accuracy_unit": accuracy and accuracy.unit,
        "accuracy_passed": accuracy and accuracy.passed,
        "quality": result.quality and result.quality.grade,
    }


def check_run_id(run_id: str, path: Path) -> None:
    """Raise UserError for a run id that cannot be the name of a folder: one that leads out of its root, for one."""
    if not run_id.isprintable() or "/" in run_id or run_id[:1] in ("", ".", "@", "-") or len(run_id.encode()) > 255:
        raise UserError(f"{path}: run_id {run_id!r} is no name of a run directory", "Restore it from a copy.")


def content_sha256(document: dict[str, Any]) -> str:
    """The hash of a result's content, however its text is laid out."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def utc(moment: datetime) -> datetime:
    """A moment in UTC, without a zone, as the tables keep it."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment


def clean(value: Any) -> Any:
    """Text that any database takes: without NUL, which PostgreSQL refuses, and without halves of characters."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
