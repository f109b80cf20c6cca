"""The data-set kind ``records``: each row of a CSV, JSONL or Parquet file is a sample and its label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Arrays, Option
from mlharness_data.cells import Column
from mlharness_data.lines import read_csv, read_jsonl
from mlharness_data.selection import COLUMNS, DTYPES, LABEL, ROWS, all_names, chosen_rows, joined, wanted_inputs
from mlharness_data.tables import read_parquet

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
OPTIONS = (
    Option("file", "string", "URI or path of a CSV file with a heading, JSONL or Parquet.", required=True),
    Option(
        "format",
        "string",
        "What the file is; left out, its name says it: .csv, .tsv, .jsonl, .ndjson, the same with .gz, .parquet.",
        choices=("csv", "jsonl", "parquet"),
    ),
    COLUMNS,
    DTYPES,
    LABEL,
    ROWS,
    Option("delimiter", "string", "CSV: the character between fields; left out, a tab for .tsv and else a comma."),
)


class Table(Protocol):
    """A file that has been read."""

    def __len__(self) -> int: ...

    def arrays(self, name: str, dtype: str | None) -> Column:
        """One array a row."""
        ...

    def labels(self, name: str) -> list[Any]:
        """One label a row."""
        ...


@dataclass(frozen=True)
class Records:
    """Rows held in memory; see :class:`mlharness.providers.DataSet`."""

    inputs: Sequence[Column]
    labels: Sequence[Any] | None
    rows: range

    def __len__(self) -> int:
        return len(self.rows)

    def check(self) -> None:
        """Every row was read when the file was opened."""

    def sample(self, index: int) -> Arrays:
        """One array for each of ``columns``; text is its UTF-8 bytes, uint8 [bytes]."""
        return tuple(column[self.rows[index]] for column in self.inputs)

    def label(self, index: int) -> Any:
        """A number, text or list; None where the row has none."""
        return None if self.labels is None else self.labels[self.rows[index]]


def open_records(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> Records:
    """Read the file, whole, so that a wrong row is found whatever ``count`` is.

    Raises:
        UserError: a format or column that is not there, or a row that cannot be read, with file and line.
    """
    inputs = wanted_inputs(options)
    path = locate(options["file"])
    table = read(path, options, all_names(inputs, options["label"]))
    rows = chosen_rows(options["rows"], count, len(table), path)
    columns = [joined(entry, [table.arrays(name, entry.dtype) for name in entry.names]) for entry in inputs]
    labels = None if options["label"] is None else table.labels(options["label"])
    return Records(columns, labels, rows)


def read(path: Path, options: Mapping[str, Any], wanted: Sequence[str]) -> Table:
    """Read the columns of a file in its format."""
    kind = options["format"] or format_of(path)
    if kind == "parquet":
        return read_parquet(path, wanted)
    if kind == "jsonl":
        return read_jsonl(path, wanted)
    delimiter = options["delimiter"] or ("\t" if ".tsv" in path.suffixes else ",")
    if len(delimiter) != 1:
        raise UserError(f"delimiter is {delimiter!r}, and must be one character", "Write one, as ';'.")
    return read_csv(path, wanted, delimiter)


def format_of(path: Path) -> str:
    """The format by a file's name. Raises UserError for a name that says nothing."""
    ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if ending.lower() not in FORMATS:
        raise UserError(f"{path}: nothing says what kind of file it is", f"Set format. {did_you_mean(ending, FORMATS)}")
    return FORMATS[ending.lower()]
