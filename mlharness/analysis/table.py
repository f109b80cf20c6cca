"""What an analysis gives: rows under columns with units, what a reader must know of them, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Unit = Literal["", "ns", "bytes", "FLOP", "FLOP/s", "bytes/s", "FLOP/byte", "share", "count"]
"""``share`` is a part of 1; ``""`` a text or a plain number."""


@dataclass(frozen=True)
class Column:
    """A column: its key in JSON and CSV, and the unit of its values. ``estimated`` marks what is no measurement."""

    key: str
    unit: Unit = ""
    estimated: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of values, None where a source does not tell one.

    ``ranked`` is the key of the column by which the first few rows are chosen. ``missing`` says why there are no rows.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]] = ()
    ranked: str = ""
    notes: Sequence[str] = field(default_factory=tuple)
    missing: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON: each row an object by the columns' keys; values in the columns' units."""
        keys = [column.key for column in self.columns]
        return {
            "columns": [
                {"key": column.key, "unit": column.unit, "estimated": column.estimated} for column in self.columns
            ],
            "rows": [dict(zip(keys, row, strict=True)) for row in self.rows],
            "notes": list(self.notes),
            "missing": self.missing or None,
        }

    def largest(self, count: int) -> Table:
        """The rows of the largest values, in descending order, and a note of how many there are."""
        if not self.ranked or len(self.rows) <= count:
            return self
        place = [column.key for column in self.columns].index(self.ranked)
        rows = sorted(self.rows, key=lambda row: -(row[place] or 0))[:count]
        note = f"the {count} of {len(self.rows)} rows with the largest {self.ranked}"
        return Table(self.columns, rows, self.ranked, (*self.notes, note), self.missing)


def absent(reason: str) -> Table:
    """A table that a source could not give."""
    return Table((), missing=reason)


def ratio(part: float | None, whole: float | None) -> float | None:
    """One over the other; None where either is unknown, or there is nothing to divide by."""
    return None if part is None or not whole else part / whole


def total(values: Sequence[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
