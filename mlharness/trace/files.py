"""The files by which a traced runner hands over what it recorded, in the folder ``trace`` of the run directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = "trace"
BATCHES = "batches-{}.journal"
"""For each worker: start, predict began, predict ended, completion began, completion ended (all in nanoseconds of the
monotonic clock), samples, place of the first in :data:`SAMPLES`, thread."""
SAMPLES = "samples-{}.journal"
"""For each worker: the ids of a batch's samples, then their indices in the data set."""
ISSUES = "issues.journal"
"""When LoadGen issued each query, how many samples it has, the place of the first in :data:`ISSUED`, thread."""
ISSUED = "issued.journal"
"""The ids of each query's samples."""
SOURCES = "sources.json"
"""What became of each tracer, the offset of the clocks before and after, and the runner's phases."""


def level_folder(run: Path, level: str) -> Path:
    """Where ``--leveled`` puts the spans of the run in which this level was the deepest."""
    return run / FOLDER / f"level-{level}"


def write_document(path: Path, document: Any) -> None:
    """A JSON file, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(document), encoding="utf-8")
    part.replace(path)
