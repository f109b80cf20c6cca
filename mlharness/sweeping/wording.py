"""The words of a sweep's table, which the terminal and pages share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlharness.wording import milliseconds

Row = Mapping[str, Any]


def framework(row: Row) -> str:
    """The framework that ran, else the one that was asked for."""
    if row["framework_name"]:
        return f"{row['framework_name']} {row['framework_version'] or ''}".strip()
    return row["framework"] or ""


def status(row: Row) -> str:
    """The verdict, and of how many runs when they do not agree."""
    counts = row["counts"]
    told = ", ".join(f"{number} {name}" for name, number in counts.items())
    return told if len(counts) > 1 else str(row["status"])


def said(row: Row) -> str:
    """Why a cell has no valid run; of a traceback the last line."""
    message = (row["message"].strip().splitlines() or [""])[-1] if "bug" in row["counts"] else row["message"]
    where = "" if row["remedy"] else f"{row['model']} on {framework(row)}: "
    return " ".join(f"{where}{message} {row['remedy']}".split())


def ranged(found: Mapping[str, Any] | None) -> str:
    """A median, and in brackets from where to where when there are several runs."""
    if found is None:
        return ""
    whole = f"{found['value']:,.1f}"
    return f"{whole} ({found['low']:,.1f} to {found['high']:,.1f})" if found["n"] > 1 else whole


def latency(row: Row) -> str:
    """The 90th percentile; Offline's would be of one query that holds all samples."""
    if row["latency_ns"] is None or row["scenario"] == "Offline":
        return ""
    return milliseconds(row["latency_ns"]["p90"]["value"])


def accuracy(row: Row) -> str:
    """The score, and whether it is below its target."""
    found = row["accuracy"]
    if found is None:
        return ""
    text = f"{found['metric']} {found['value']:.4g} {found['unit']}".strip()
    return f"{text} (target {found['target']:g} NOT met)" if found["passed"] is False else text
