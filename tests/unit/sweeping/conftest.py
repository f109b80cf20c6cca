"""Sweeps whose runs are made up: at once, and with the same figures every time."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlharness import rundir
from mlharness.errors import UserError
from mlharness.sweeping.directory import SweepDirectory, begin
from mlharness.sweeping.document import Sweep, read_sweep
from mlharness.sweeping.order import Unit

Write = Callable[..., Path]
Begin = Callable[..., SweepDirectory]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(models=[...], ...)``: the file of a sweep with these keys."""

    def make(**keys: Any) -> Path:
        path = tmp_path / "s.yaml"
        path.write_text(yaml.safe_dump({"kind": "sweep", "name": "s", "models": ["a", "b"], **keys}), "utf-8")
        return path

    return make


@pytest.fixture
def begun(tmp_path: Path, write: Write) -> Begin:
    """``begun(...)``: a sweep with these keys, begun in a folder of its own."""
    return lambda **keys: begin(tmp_path / "sweeps", read_sweep(write(**keys)))


def made_up(directory: SweepDirectory, unit: Unit, status: str = "valid", **changed: Any) -> dict[str, Any]:
    """A result whose figures depend on what is asked alone; only as much of it as tables read."""
    cell = unit.cell
    rate = 100.0 + zlib.crc32(f"{unit.key}".encode()) % 100
    name = (cell.framework or "own").partition("==")[0]
    result = {
        "run_id": f"run-{cell.id}-{unit.repetition}",
        "status": status,
        "invalid_reasons": [] if status == "valid" else [f"it is {status}"],
        "metric": {"name": "result_samples_per_second", "value": rate, "unit": "samples/s"},
        "latency_ns": {"mean": 1e9 / rate, "p50": 1e9 / rate, "p90": 2e9 / rate, "p99": 3e9 / rate},
        "samples": 1000,
        "duration_s": 1000 / rate,
        "accuracy": None,
        "framework": {"name": name, "version": "1", "batch_size": cell.batch_size or 1, "instances": 2, "threads": 1},
        "model": {"weights": "random", "parameters": 1000, "multiply_adds": None},
        "labels": directory.labels(unit),
    }
    return {**result, **changed}


def keep(directory: SweepDirectory, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write a result where a run would."""
    folder = directory.runs / result["run_id"]
    folder.mkdir()
    rundir.write_json(folder / rundir.RESULT, result)
    return result


def pretend(directory: SweepDirectory, unit: Unit, earlier: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A run of a sweep: of the model ``missing`` it cannot begin, of ``broken`` it fails, of ``bug`` it raises."""
    if unit.cell.model == "missing":
        raise UserError("no model is named 'missing'", "See: mlh models")
    if unit.cell.model == "bug":
        raise ZeroDivisionError("oops")
    status = "failed" if unit.cell.model == "broken" else "valid"
    return keep(directory, made_up(directory, unit, status))


def journal_of(directory: SweepDirectory) -> list[dict[str, Any]]:
    """The journal's lines."""
    return [json.loads(line) for line in (directory.path / "journal.jsonl").read_text("utf-8").splitlines()]


__all__ = ["Begin", "Sweep", "Write", "journal_of", "keep", "made_up", "pretend"]
