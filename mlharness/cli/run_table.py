"""Runs as rows of a table, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timezone
from typing import Any

from mlharness.cli.output import Output
from mlharness.rundir import UNVERIFIED
from mlharness.wording import measured

COLUMNS = ("RUN", "FRAMEWORK", "STATUS", "FIGURE", "ACCURACY", "HOST", "LABELS")
"""A run's id begins with its time, model and scenario."""
NEEDED = (
    "run_id", "framework", "framework_version", "status", "rules", "value", "unit", "accuracy_metric", "accuracy",
    "accuracy_unit", "accuracy_passed", "host",
)  # fmt: skip
"""What the table is made of, beside labels."""


def show_runs(output: Output, rows: Sequence[Mapping[str, Any]], total: int) -> None:
    """Print rows of :func:`~mlharness.store.querying.list_runs`, of which there are ``total`` in all."""
    output.show(
        lambda: {"runs": [document(row) for row in rows], "total": total},
        lambda: output.table(COLUMNS, [cells(row) for row in rows], whole=True),
    )
    if len(rows) < total:
        output.note(f"The latest {len(rows):,} of {total:,} runs; --limit 0 lists all.")


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON data; times as in results."""
    times = {
        name: row[name].replace(tzinfo=timezone.utc).isoformat(timespec="milliseconds")
        for name in ("started", "finished")
    }
    return {**row, **times}


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A row for people."""
    framework = f"{row['framework']} {row['framework_version'] or ''}".rstrip()
    labels = ", ".join(f"{key}={value}" for key, value in row["labels"].items())
    return (row["run_id"], framework, verdict(row), figure(row), accuracy(row), row["host"], labels)


def verdict(row: Mapping[str, Any]) -> str:
    """As the run's own summary says it."""
    return str(row["status"]).upper() + (" (quick)" if row["rules"] == "quick" else "")


def figure(row: Mapping[str, Any]) -> str:
    """The figure with its unit; empty for a run without one."""
    if row["value"] is None:
        return ""
    value = measured(row["value"], row["unit"])
    return value if row["rules"] == "quick" else f"{value} ({UNVERIFIED})"


def accuracy(row: Mapping[str, Any]) -> str:
    """The score, and that it misses its target; empty for a run without one."""
    if row["accuracy"] is None:
        return ""
    missed = " (target NOT met)" if row["accuracy_passed"] is False else ""
    return f"{row['accuracy_metric']} {row['accuracy']:.5g} {row['accuracy_unit']}".rstrip() + missed
