"""A sweep's plan and its table, as people read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlharness.cli.output import Output
from mlharness.wording import milliseconds

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]

_CHANGING: Sequence[Column] = (
    ("DEVICE", lambda row: str(row["device"])),
    ("SCENARIO", lambda row: str(row["scenario"])),
    ("BATCH", lambda row: "" if row["batch_size"] is None else str(row["batch_size"])),
    ("INSTANCES", lambda row: "" if row["instances"] is None else str(row["instances"])),
)
"""Columns that are shown when the rows differ in them; a single value of all stands below the table."""


def show_plan(output: Output, document: Mapping[str, Any]) -> None:
    """The cells of a sweep before it runs."""
    columns: list[Column] = [
        ("MODEL", lambda row: str(row["model"])),
        ("FRAMEWORK", lambda row: row["framework"] or "(the manifest's)"),
        *_CHANGING,
        ("RUNS", lambda row: str(row["runs"])),
        ("EACH", lambda row: f"{row['seconds']:.0f} s"),
        ("CANNOT RUN", lambda row: row["obstacle"]),
    ]
    _table(output, columns, document["cells"])


def show_table(output: Output, table: Mapping[str, Any]) -> None:
    """The rows, then what is wrong with those that have no figure, in full."""
    rows = table["rows"]
    columns: list[Column] = [
        ("MODEL", lambda row: str(row["model"])),
        ("FRAMEWORK", framework),
        *(column for column in _CHANGING if len({column[1](row) for row in rows}) > 1),
        ("STATUS", status),
        ("SAMPLES/S", lambda row: ranged(row["throughput"])),
        ("P90", latency),
        ("ACCURACY", accuracy),
        ("NETWORK", lambda row: f"DIFFERS: {row['differs']}" if row["differs"] else ""),
    ]
    _table(output, columns, rows)
    for message in dict.fromkeys(f"{row['status']}: {said(row)}" for row in rows if row["status"] != "valid"):
        output.line(message)


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


def _table(output: Output, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    cells = [[read(row) for _, read in columns] for row in rows]
    filled = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    output.table([columns[index][0] for index in filled], [[row[index] for index in filled] for row in cells])
