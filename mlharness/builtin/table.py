"""The data-set kind ``table``: each row of a numeric CSV file is a sample and its label."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlharness import hookimpl
from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Option
from mlharness.registrars import DataSetRegistrar

OPTIONS = (
    Option("file", "string", "URI or path of a .csv or .csv.gz file of numbers, without a heading.", required=True),
    Option("label_column", "integer", "The column that holds the label, an integer; -1 is the last.", default=-1),
    Option("rows", "array", "The rows to use, [start, stop): for a held-out part.", default=None),
    Option("shape", "array", "The shape of one sample, without its label.", required=True),
    Option("dtype", "string", "The NumPy dtype of a sample.", default="float32"),
)


class TableDataSet:
    """Rows held in memory: ``samples`` [n, *shape], ``labels`` [n] int64."""

    def __init__(self, samples: Array, labels: Array) -> None:
        self._samples, self._labels = samples, labels

    def __len__(self) -> int:
        return len(self._samples)

    def check(self) -> None:
        """Everything was read when the table was opened."""

    def sample(self, index: int) -> Arrays:
        """One row in the option's shape and dtype."""
        return (self._samples[index],)

    def label(self, index: int) -> int:
        """The integer in the label column."""
        return int(self._labels[index])


def open_table(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> TableDataSet:
    """Read the table. Raises UserError for a file that is no table of numbers, or does not fit the options."""
    path = locate(options["file"])
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError, EOFError, zlib.error) as error:  # the last two: a .gz that is cut off or damaged
        raise UserError(f"{path} is no table of numbers: {error}", "It must be CSV without a heading.") from error
    if options["rows"] is not None:
        table = table[slice(*check_rows(options["rows"], len(table), path))]
    table = table[:count]
    try:
        labels = table[:, options["label_column"]]
        values = np.delete(table, options["label_column"], axis=1)
        samples = values.astype(options["dtype"]).reshape(len(table), *options["shape"])
    except (IndexError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: {table.shape[1]} columns do not fit the options shape {options['shape']}, "
            f"label_column {options['label_column']} and dtype {options['dtype']}: {error}",
            "Correct the options of the data-set manifest.",
        ) from error
    return TableDataSet(samples, whole_numbers(labels, path))


def whole_numbers(labels: Array, path: Path) -> Array:
    """The label column [n] as int64. Raises UserError for a label that is no whole number."""
    fitting = np.isfinite(labels) & (labels == np.floor(labels))
    if not fitting.all():
        row = int(np.argmin(fitting))
        raise UserError(f"{path}: the label of sample {row} is {labels[row]:g}", "Correct option label_column.")
    return labels.astype(np.int64)


def check_rows(rows: Any, count: int, path: Path) -> tuple[int, int]:
    """The option ``rows`` as (start, stop). Raises UserError unless both lie in the table."""
    if len(rows) == 2 and all(isinstance(row, int) for row in rows) and 0 <= rows[0] <= rows[1] <= count:
        return rows[0], rows[1]
    raise UserError(f"rows is {rows!r}, and {path.name} has {count} rows", "Write rows: [start, stop].")


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    registrar.dataset("table", open=open_table, options=OPTIONS)
