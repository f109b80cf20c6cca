"""Run directories with results that follow the schema, made without running anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlharness.result import Findings, make_result
from tests.unit.runner.making import a_plan
from tests.unit.runner.measurements import a_measured

SYSTEM = {
    "host": "desk", "cpu": {"model": "AMD EPYC", "usable_cores": [0, 1]}, "memory_bytes": 8, "os": "Debian",
    "virtualised": True,
}  # fmt: skip
STARTED = "2026-03-01T10:00:00.000+00:00"
FINISHED = "2026-03-01T10:00:12.500+00:00"


def a_result(run_id: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The document of a valid run; ``changes`` are laid over it by dotted key."""
    plan = a_plan(labels={"who": "ci"})
    findings = Findings(performance=a_measured(Path(run_id)), null_floor_us=3.5)
    result = make_result(plan, Path(run_id), findings, SYSTEM, STARTED, FINISHED)
    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        place = result
        for name in path:
            place = place[name]
        place[last] = value
    return result


def write_run(root: Path, run_id: str, changes: Mapping[str, Any] | None = None, folder: str = "") -> Path:
    """A run directory with a plan and a result."""
    directory = root / (folder or run_id)
    directory.mkdir(parents=True)
    (directory / "plan.json").write_text("{}", "utf-8")
    (directory / "result.json").write_text(json.dumps(a_result(run_id, changes), indent=2), "utf-8")
    return directory


def rewrite(directory: Path, changes: Mapping[str, Any]) -> None:
    """Change a result as a run does: the file is replaced."""
    path = directory / "result.json"
    document = json.loads(path.read_text("utf-8"))
    (directory / ".result.json.part").write_text(json.dumps({**document, **changes}), "utf-8")
    (directory / ".result.json.part").replace(path)
