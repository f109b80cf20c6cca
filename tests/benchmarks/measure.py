"""What the benchmarks share: run ``mlh bench``, medians, rows of a table."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNTOLD = ("--block", "builtin-store")
"""These runs are none of the user's: the store is not told."""


@dataclass(frozen=True)
class Row:
    """A line of the table: what was measured, what is asked for, what was found."""

    name: str
    goal: str
    found: str
    met: bool


def mlh_bench(root: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[dict[str, Any], Path]:
    """One ``mlh bench``; its result and its run directory."""
    command = [sys.executable, "-m", "mlharness", "bench", *arguments, "--json", "-q", *UNTOLD, "--output", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}\n{done.stdout}")
    result = json.loads(done.stdout)
    return result, root / result["run_id"]


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """``median (least to most, n)``."""
    low, high = form.format(min(values)), form.format(max(values))
    return f"{form.format(median(values))} ({low} to {high}, n = {len(values)})"
