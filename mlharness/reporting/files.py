"""What a run directory holds for a page: all of it may be missing but the plan or the result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mlharness import telemetry
from mlharness.errors import UserError
from mlharness.monitor import FILE as TELEMETRY
from mlharness.plan import RunPlan
from mlharness.rundir import PLAN, RESULT, RUNNER_LOG, SYSTEM
from mlharness.store.importing import check_schema
from mlharness.store.reading import IncompleteRunError, read_json, read_record, read_result
from mlharness.telemetry import Sample

Document = Mapping[str, Any]
LOG_LINES = 30
"""Lines of the runner's log that a page shows of a run that has no figure: its end, where the error stands."""
LOG_BYTES = 1 << 16


@dataclass(frozen=True)
class RunFiles:
    """The documents of one run.

    ``result`` is None for an incomplete run; ``plan`` and ``system`` are empty where they are missing, ``samples`` are
    those of the host. ``troubles`` says of each damaged file what is wrong with it.
    """

    directory: Path
    result: Document | None
    labels: Mapping[str, str] = field(default_factory=dict)
    plan: Document = field(default_factory=dict)
    system: Document = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    troubles: tuple[str, ...] = ()
    log_end: str = ""

    @property
    def run_id(self) -> str:
        """The name of the run."""
        return str(self.result["run_id"]) if self.result else self.directory.name

    @property
    def status(self) -> str:
        """The verdict; ``incomplete`` without one."""
        return str(self.result["status"]) if self.result else "incomplete"


def read_files(directory: Path) -> RunFiles:
    """Everything that can be read of a run.

    Raises:
        UserError: it is no run directory, or its result is damaged or from a newer mlharness.
    """
    directory = directory.resolve()
    troubles: list[str] = []
    result, labels = read_verdict(directory, troubles)
    plan = read_plan(directory / PLAN, troubles)
    system = read_beside(directory / SYSTEM, troubles)
    samples = read_samples(directory / TELEMETRY, troubles)
    if result is None:
        labels = plan.get("labels", {})
    return RunFiles(directory, result, labels, plan, system, samples, tuple(troubles), end_of(directory / RUNNER_LOG))


def read_verdict(directory: Path, troubles: list[str]) -> tuple[Document | None, Mapping[str, str]]:
    """The result and the labels that the run has now; neither for a run that was begun and did not end."""
    try:
        record = read_record(directory)
    except IncompleteRunError as error:
        if not (directory / PLAN).is_file():
            raise UserError(f"{directory} is no run directory: it has no plan", "See: mlh runs") from error
        return None, {}
    result = read_result(directory)
    check_schema(result, directory / RESULT)
    if not finite(result):
        raise UserError(f"{directory / RESULT} is damaged: a number in it is not finite", "Restore it from a copy.")
    if record.problem:
        troubles.append(record.problem)
    return result, record.labels


def read_plan(path: Path, troubles: list[str]) -> Document:
    """The plan; empty when it is missing, or no plan."""
    document = read_beside(path, troubles)
    try:
        return msgspec.to_builtins(msgspec.convert(document, RunPlan)) if document else {}
    except msgspec.ValidationError as error:
        troubles.append(f"{path} is damaged: {error}")
        return {}


def read_beside(path: Path, troubles: list[str]) -> Document:
    """A document beside the result, which a page can do without."""
    if not path.is_file():
        return {}
    try:
        return read_json(path)
    except UserError as error:
        troubles.append(error.message)
        return {}


def read_samples(path: Path, troubles: list[str]) -> tuple[Sample, ...]:
    """How the host was doing; nothing where nobody wrote it down."""
    try:
        samples = telemetry.read_csv(path)
    except (OSError, ValueError) as error:
        troubles.append(f"{path} is damaged: {error}")
        return ()
    if not finite([asdict(sample) for sample in samples]):
        troubles.append(f"{path} is damaged: a number in it is not finite")
        return ()
    return tuple(samples)


def finite(document: Any) -> bool:
    """Whether all numbers are finite, as a page's data must be: Python reads NaN from a file that says so."""
    try:
        json.dumps(document, allow_nan=False)
    except ValueError:
        return False
    return True


def end_of(path: Path) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - LOG_BYTES))
            return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]).strip()
    except OSError:
        return ""
