"""A sweep's plan and its table, as people read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlharness.cli.output import Output
from mlharness.summarising.blocks import Table
from mlharness.sweeping.cells import AXES, Cell
from mlharness.sweeping.table import has_figures
from mlharness.sweeping.wording import accuracy, framework, latency, ranged, said, status

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
    shown = _table(columns, document["cells"])
    output.table(shown.columns, shown.rows)


def show_table(output: Output, table: Mapping[str, Any]) -> None:
    """The rows, then what is wrong with those that have no figure, in full."""
    shown = table_of_rows(table["rows"])
    output.table(shown.columns, shown.rows)
    for message in dict.fromkeys(f"{row['status']}: {said(row)}" for row in table["rows"] if not has_figures(row)):
        output.line(message)


def table_of_rows(rows: Sequence[Row]) -> Table:
    """The rows with the columns in which there is something."""
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
    return _table(columns, rows)


def where(row: Row) -> str:
    """A cell as it was asked for."""
    return str(Cell(**{key: row[key] for key in AXES}))


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    cells = [[read(row) for _, read in columns] for row in rows]
    filled = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    return Table([columns[index][0] for index in filled], [[row[index] for index in filled] for row in cells])
