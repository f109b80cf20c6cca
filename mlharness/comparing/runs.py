"""A run as a comparison sees it: its result, and what of the plan and the system its directory still has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlharness import runs
from mlharness.rundir import PLAN, SYSTEM
from mlharness.store.reading import read_json

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """The documents of one run; ``plan`` and ``system`` are empty, and ``directory`` is None, where nobody has them."""

    result: Document
    plan: Document = field(default_factory=dict)
    system: Document = field(default_factory=dict)
    directory: Path | None = None

    @property
    def id(self) -> str:
        """The name of its directory."""
        return str(self.result["run_id"])

    @property
    def searched(self) -> bool:
        """True when Server's rate was found by search, so that no rate was asked for."""
        calibration = self.result["calibration"]
        return self.result["scenario"] == "Server" and bool(calibration and calibration["trials"])

    @property
    def settings(self) -> Document:
        """What LoadGen was given; empty for a run that did not get so far."""
        calibration = self.result["calibration"]
        return calibration["settings"] if calibration else {}

    def label(self, key: str) -> str | None:
        """A label; None without it."""
        labels: Mapping[str, str] = self.result["labels"]
        return labels.get(key)


def complete(found: runs.Run) -> Run:
    """A run with its plan and its system. Raises UserError when one of the files is damaged."""
    if not found.here:
        return Run(found.result)
    files = (found.directory / name for name in (PLAN, SYSTEM))
    plan, system = (read_json(file) if file.is_file() else {} for file in files)
    return Run(found.result, plan, system, found.directory)


def read_run(directory: Path) -> Run:
    """The run of a directory. Raises UserError when it is none, or damaged."""
    return complete(runs.at(directory))
