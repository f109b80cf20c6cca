"""Arrow tables, as Parquet files and Hugging Face data sets hold them: typed columns, without lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness_data.cells import TEXT, Cells, Column, cast, column_of
from mlharness_data.lines import find_name

PIP = "Run: pip install 'mlharness-data[parquet]'"


@dataclass(frozen=True)
class ArrowTable:
    """The columns that were asked for, as a ``pyarrow.Table``; ``name`` is the file's, for messages."""

    name: str
    table: Any

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def arrays(self, name: str, dtype: str | None) -> Column:
        """A column's arrays in its own dtype, or the one given; see :func:`mlharness_data.cells.column_of`."""
        column = plain(self.table.column(name))
        own = leaf_dtype(column.type, f"{self.name}: column {name!r}")
        cells = Cells(name, (), lambda row: f"{self.name}: row {row}")
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy()))
            raise cells.refuse(row, "nothing", "a value", "Fill it, or leave the row out.")
        if own != TEXT and dtype != TEXT and not is_list(column.type):
            return cast(cells, column.to_numpy(), dtype or own)[:, None]
        return column_of(Cells(name, column.to_pylist(), cells.where), dtype or own)

    def labels(self, name: str) -> list[Any]:
        """A column's values as labels; null is None."""
        values: list[Any] = self.table.column(name).to_pylist()
        return values


def plain(column: Any) -> Any:
    """A column's values themselves, where it holds places in a dictionary of them (pandas' categories)."""
    import pyarrow

    return column.cast(column.type.value_type) if pyarrow.types.is_dictionary(column.type) else column


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is a list of another."""
    import pyarrow.types as types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def leaf_dtype(kind: Any, what: str) -> str:
    """``text``, or NumPy's dtype of what an Arrow type holds, lists aside. Raises UserError for other types."""
    import pyarrow.types as types

    leaf = kind
    while is_list(leaf):
        leaf = leaf.value_type
    if types.is_boolean(leaf) or types.is_integer(leaf) or types.is_floating(leaf):
        return str(np.dtype(leaf.to_pandas_dtype()))
    text = any(test(leaf) for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary))
    if not text or leaf is not kind:
        raise UserError(f"{what} is of type {kind}", "Only numbers, text, bytes and lists of numbers can be used.")
    return TEXT


def read_parquet(path: Path, wanted: Sequence[str]) -> ArrowTable:
    """Read columns of a Parquet file.

    Raises:
        UserError: pyarrow is not installed, the file is no Parquet, or it has no such column.
    """
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise UserError(f"{path} is Parquet, and pyarrow cannot be imported: {error}", PIP) from error
    try:
        with parquet.ParquetFile(path) as file:
            for name in wanted:
                find_name(name, file.schema_arrow.names, path)
            return ArrowTable(str(path), file.read(columns=list(wanted)))
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path} is no Parquet file that can be read: {error}", "Check the file.") from error
