"""The data-set kind ``huggingface``: what the package ``datasets`` reads, from its hub, its cache or a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Array, Arrays, Option
from mlharness_data.cells import TEXT, Cells, cast, column_of
from mlharness_data.lines import find_name
from mlharness_data.selection import COLUMNS, DTYPES, LABEL, ROWS, Input, all_names, chosen_rows, wanted_inputs
from mlharness_data.tables import leaf_dtype

PIP = "Run: pip install 'mlharness-data[huggingface]'"
OPTIONS = (
    Option("path", "string", "The data set's name on the hub, as rajpurkar/squad. Give either path or folder."),
    Option("folder", "string", "Path of a folder that save_to_disk of datasets wrote. Give either path or folder."),
    Option("name", "string", "path: the configuration, where the data set has several."),
    Option("revision", "string", "path: the branch, tag or commit; name a commit so that the data stays the same."),
    Option("split", "string", "The part, as validation; a folder may hold a single one, which needs no name."),
    COLUMNS,
    DTYPES,
    LABEL,
    ROWS,
)


@dataclass(frozen=True)
class HuggingFace:
    """Rows in the package's own memory-mapped tables; see :class:`mlharness.providers.DataSet`."""

    source: str
    table: Any
    labels: Any
    inputs: tuple[Input, ...]
    dtypes: Mapping[str, str]
    rows: range

    def __len__(self) -> int:
        return len(self.rows)

    def check(self) -> None:
        """Read the first and the last sample."""
        for index in sorted({0, len(self) - 1}):
            self.sample(index)

    def sample(self, index: int) -> Arrays:
        """One array for each of ``columns``; text, and an image or sound as its file's bytes, is uint8 [bytes]."""
        row = self.rows[index]
        values = self.table[row]
        return tuple(self._array(entry, values, row) for entry in self.inputs)

    def label(self, index: int) -> Any:
        """A number, text or list; None where the row has none."""
        return None if self.labels is None else next(iter(self.labels[self.rows[index]].values()))

    def _array(self, entry: Input, values: Mapping[str, Any], row: int) -> Array:
        parts = [self._value(name, values[name], entry.dtype, row) for name in entry.names]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _value(self, name: str, value: Any, dtype: str | None, row: int) -> Array:
        cells = Cells(name, [value], lambda _: f"{self.source}: row {row}")
        if isinstance(value, dict):  # an image or a sound that is not decoded
            return np.frombuffer(file_bytes(cells, value), np.uint8)
        wanted = dtype or self.dtypes[name]
        if value is not None and wanted != TEXT and isinstance(value, (bool, int, float)):
            return cast(cells, np.asarray([value]), wanted)
        return column_of(cells, wanted)[0]


def file_bytes(cells: Cells, value: Mapping[str, Any]) -> bytes:
    """The bytes of the file that a cell holds, or names."""
    try:
        found: bytes = value["bytes"] if value.get("bytes") is not None else Path(value["path"]).read_bytes()
    except (KeyError, TypeError, OSError) as error:
        raise cells.refuse(0, f"no file that can be read ({error})", "a file", "Check the data set.") from error
    return found


def open_huggingface(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> HuggingFace:
    """Open a data set of the package ``datasets``.

    Raises:
        UserError: the package is not installed, the data set cannot be had, or a split or column is not in it.
    """
    inputs = wanted_inputs(options)
    source, found = open_source(options, locate)
    table = split_of(found, options["split"], source)
    names = all_names(inputs, options["label"])
    for name in names:
        find_name(name, table.column_names, source)
    rows = chosen_rows(options["rows"], count, len(table), source)
    chosen = undecoded(table.select_columns([name for entry in inputs for name in entry.names]))
    labels = None if options["label"] is None else table.select_columns([options["label"]])
    return HuggingFace(source, chosen, labels, inputs, own_dtypes(chosen, source), rows)


def open_source(options: Mapping[str, Any], locate: Callable[[str], Path]) -> tuple[str, Any]:
    """The data set's name for messages, and what the package has opened."""
    if (options["path"] is None) == (options["folder"] is None):
        raise UserError("the data set needs either path or folder", "Name a data set of the hub, or a folder.")
    try:
        import datasets
    except ImportError as error:
        raise UserError(f"the package datasets cannot be imported: {error}", PIP) from error
    try:
        if options["folder"] is not None:
            return options["folder"], datasets.load_from_disk(str(locate(options["folder"])))
        given = {key: options[key] for key in ("name", "split", "revision") if options[key] is not None}
        return options["path"], datasets.load_dataset(options["path"], **given)
    except UserError:
        raise
    except Exception as error:  # the package, its hub and its file formats raise kinds of many libraries
        what = options["path"] or options["folder"]
        raise UserError(
            f"{what} cannot be opened: {type(error).__name__}: {error}",
            "Check path, name, split and revision. Without a network, name what is in the cache, "
            "or save it elsewhere with save_to_disk and name the folder.",
        ) from error


def split_of(found: Any, split: str | None, source: str) -> Any:
    """One split of what was opened. Raises UserError when there are several and none, or a wrong one, is named."""
    if not isinstance(found, dict):
        return found
    if split is None and len(found) == 1:
        return next(iter(found.values()))
    if split not in found:
        said = "has several splits" if split is None else f"has no split {split!r}"
        raise UserError(f"{source} {said}", f"Set split. {did_you_mean(split or '', found)}")
    return found[split]


def undecoded(table: Any) -> Any:
    """The table with images and sounds as the bytes of their files: decoding is a step's work."""
    for name, feature in table.features.items():
        if getattr(feature, "decode", None) is True:
            table = table.cast_column(name, type(feature)(decode=False))
    return table


def own_dtypes(table: Any, source: str) -> dict[str, str]:
    """The dtype of each column that is no file."""
    from pyarrow.types import is_struct

    schema = table.features.arrow_schema
    kinds = {name: schema.field(name).type for name in table.column_names}
    return {name: leaf_dtype(kind, f"{source}: column {name!r}") for name, kind in kinds.items() if not is_struct(kind)}
