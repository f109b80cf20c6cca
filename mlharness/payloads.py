"""What observers are told: one frozen dataclass per ``mlh_on_*`` hook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunStarted:
    """A run has its directory and its plan; nothing has been loaded yet."""

    run_id: str
    directory: Path
    plan: Mapping[str, Any]


@dataclass(frozen=True)
class PhaseStarted:
    """A runner entered a phase: ``fetch``, ``load``, ``warmup``, ``calibrate``, ``samples``, ``measure``, ``score`` ...

    ``detail`` is one short line for people; ``expected_s`` is how long it should last, None when nobody knows.
    """

    run_id: str
    phase: str
    detail: str
    expected_s: float | None


@dataclass(frozen=True)
class Progress:
    """At most once a second while a runner works; ``done`` counts completed samples (or bytes in phase ``fetch``)."""

    run_id: str
    phase: str
    done: int
    total: int | None
    elapsed_s: float


@dataclass(frozen=True)
class RunFinished:
    """The result has been written; ``result`` is the document of ``result.json``."""

    run_id: str
    directory: Path
    result: Mapping[str, Any]
