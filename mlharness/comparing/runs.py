"""A run as a comparison sees it: its result, and what of the plan and the system its directory still has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlharness.errors import UserError
from mlharness.result import SCHEMA_VERSION
from mlharness.rundir import PLAN, RESULT, SYSTEM

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """The documents of one run; ``plan`` and ``system`` are empty when only the result is known."""

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


def read_run(directory: Path) -> Run:
    """The run of a directory. Raises UserError for one that has no result of this version."""
    result = _read(directory / RESULT)
    if result is None:
        raise UserError(f"{directory} has no {RESULT}: the run did not end", "Make the run again.")
    version = result.get("schema_version")
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{directory / RESULT} has schema version {version!r}, and this mlharness knows {SCHEMA_VERSION}",
            "Compare it with the version of mlharness that made it.",
        )
    return Run(result, _read(directory / PLAN) or {}, _read(directory / SYSTEM) or {}, directory)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "Check the file's permissions.") from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise UserError(f"{path} is damaged: {error}", "Make the run again, or take its copy from a backup.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object", "Make the run again.")
    return found
