"""What the kinds of data sets share: options that choose columns and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Option
from mlharness_data.cells import Column, check_dtype

COLUMNS = Option(
    "columns",
    "array",
    "What makes a sample, in the order of the model's inputs: each is a column's name, or a list of names of columns "
    "whose numbers make one array.",
    required=True,
)
DTYPES = Option(
    "dtypes",
    "array",
    "For each of columns: a NumPy dtype, text, or null for what the column is by itself.",
)
LABEL = Option("label", "string", "The column that holds the label; left out, samples have none.")
ROWS = Option("rows", "array", "The rows to use, [start, stop): for a held-out part.")


@dataclass(frozen=True)
class Input:
    """One array of each sample: the columns whose numbers make it, mostly one, and its dtype (None: its own)."""

    names: tuple[str, ...]
    dtype: str | None


def wanted_inputs(options: Mapping[str, Any]) -> tuple[Input, ...]:
    """The options ``columns`` and ``dtypes``. Raises UserError for what is no column or dtype, or too many of them."""
    columns = options["columns"]
    dtypes = options["dtypes"] if options["dtypes"] is not None else [None] * len(columns)
    if not columns:
        raise UserError("columns is empty", "Name the columns that make a sample.")
    if len(dtypes) != len(columns):
        raise UserError(
            f"dtypes has {len(dtypes)} entries, and columns has {len(columns)}", "Give one for each, or null."
        )
    return tuple(
        Input(names_of(place, entry), check_dtype(dtype))
        for place, (entry, dtype) in enumerate(zip(columns, dtypes, strict=True))
    )


def names_of(place: int, entry: Any) -> tuple[str, ...]:
    """The columns of one entry of ``columns``."""
    names = entry if isinstance(entry, (list, tuple)) else [entry]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise UserError(f"columns[{place}] is {entry!r}", "Write a column's name, or a list of names.")
    return tuple(names)


def all_names(inputs: Sequence[Input], label: str | None) -> list[str]:
    """Every column that is needed, once."""
    names = [name for entry in inputs for name in entry.names]
    return list(dict.fromkeys([*names, *([label] if label is not None else [])]))


def joined(entry: Input, columns: Sequence[Column]) -> Column:
    """One input's arrays: a single column as it is, several columns of numbers side by side as [rows, columns]."""
    if len(columns) == 1:
        return columns[0]
    for name, column in zip(entry.names, columns, strict=True):
        if not isinstance(column, np.ndarray) or column.ndim != 2 or column.shape[1] != 1:
            raise UserError(
                f"columns puts {name!r} beside {len(columns) - 1} others, and it holds no numbers, one a row",
                "Name it as an input of its own.",
            )
    arrays = [column for column in columns if isinstance(column, np.ndarray)]
    kinds = {array.dtype for array in arrays}
    # NumPy would make float64 of int64 and float32, neither of which is one of its columns'.
    dtype = np.result_type(*(kinds - {np.dtype(np.int64), np.dtype(bool)} or kinds))
    return np.concatenate([array.astype(dtype) for array in arrays], axis=1)


def chosen_rows(rows: Any, count: int | None, total: int, what: object) -> range:
    """The rows that the option ``rows`` and the user's count leave. Raises UserError when there are none."""
    whole = range(total)
    if rows is not None:
        fits = len(rows) == 2 and all(isinstance(row, int) and not isinstance(row, bool) for row in rows)
        if not fits or not 0 <= rows[0] <= rows[1] <= total:
            raise UserError(f"rows is {list(rows)!r}, and {what} has {total} rows", "Write rows: [start, stop].")
        whole = whole[rows[0] : rows[1]]
    if not whole:
        raise UserError(f"{what} has no rows to use", "Check the file, and option rows.")
    return whole[:count]
