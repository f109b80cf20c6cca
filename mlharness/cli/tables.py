"""How a :class:`~mlharness.analysis.table.Table` is printed: with units that suit its values, or as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Any

from mlharness.analysis.table import Column, Table
from mlharness.cli.output import Output

_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1, "ns")),
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1, "B")),
    "FLOP": ((1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"), (1, "FLOP")),
    "FLOP/s": ((1e9, "GFLOP/s"), (1e6, "MFLOP/s"), (1, "FLOP/s")),
    "bytes/s": ((1e9, "GB/s"), (1e6, "MB/s"), (1, "B/s")),
    "share": ((0.01, "%"),),
    "FLOP/byte": ((1, "FLOP/byte"),),
}
_WORDS = {"latency_ns": "latency", "memory_bytes": "memory", "flops_per_s": "speed", "bytes_per_s": "bandwidth",
          "roof_flops_per_s": "roof"}  # fmt: skip
NOTHING = "n/a"


def print_table(output: Output, table: Table) -> None:
    """Rows under headings with units, then the notes; or why there are none."""
    if table.missing:
        output.line(f"{NOTHING}: {table.missing}")
        return
    if [column.key for column in table.columns] == ["property", "value", "unit"]:
        output.table(("PROPERTY", "VALUE"), [[row[0].replace("_", " "), _value(row[1], row[2])] for row in table.rows])
    else:
        _print_rows(output, table)
    for note in table.notes:
        output.line(f"- {note}")


def _print_rows(output: Output, table: Table) -> None:
    by_unit = {column.unit: _scale(column.unit, _values(table, column.unit)) for column in table.columns}
    scales = [by_unit[column.unit] for column in table.columns]
    headings = [_heading(column, unit) for column, (_, unit) in zip(table.columns, scales, strict=True)]
    rows = [
        [_cell(column, value, scale) for column, value, (scale, _) in zip(table.columns, row, scales, strict=True)]
        for row in table.rows
    ]
    output.table(headings, rows)


def print_csv(table: Table) -> None:
    """A line of keys, then the rows, in the columns' own units; what is not known is empty.

    A table that a source cannot give has neither: the reason goes to stderr.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if table.missing:
        Output().note(f"{NOTHING}: {table.missing}")
        return
    writer.writerow([column.key for column in table.columns])
    writer.writerows(table.rows)


def _values(table: Table, unit: str) -> list[Any]:
    """Of all columns with that unit, which are shown in one, so that they can be compared."""
    places = [place for place, column in enumerate(table.columns) if column.unit == unit]
    return [row[place] for row in table.rows for place in places]


def _value(value: Any, unit: str) -> str:
    """One value with its own unit."""
    if value is None or isinstance(value, str):
        return value or NOTHING
    scale, shown = _scale(unit, [value])
    text = f"{value / scale:,.3f}" if isinstance(value, float) else f"{value / scale:,g}" if shown else f"{value:,}"
    return f"{text} {shown or ('' if unit == 'count' else unit)}".rstrip()


def _scale(unit: str, values: Sequence[Any]) -> tuple[float, str]:
    """The largest unit in which the largest value is at least 1."""
    scales = _SCALES.get(unit)
    if scales is None:
        return 1, ""
    largest = max((abs(value) for value in values if value is not None), default=0)
    return next((scale for scale in scales if largest >= scale[0]), scales[-1])


def _heading(column: Column, unit: str) -> str:
    word = _WORDS.get(column.key, column.key.removesuffix("_ns").removesuffix("_bytes")).replace("_", " ").upper()
    return f"{word}{f' ({unit})' if unit else ''}{' ~' if column.estimated else ''}"


def _cell(column: Column, value: Any, scale: float) -> str:
    if value is None:
        return NOTHING
    if column.unit == "share":
        return f"{value / scale:.1f}"
    if column.unit in _SCALES:
        return f"{value / scale:.3f}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}" if isinstance(value, float) else str(value)
