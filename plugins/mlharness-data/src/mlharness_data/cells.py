"""From values as a file has them to arrays: what one column of records makes of each sample.

Whole numbers become int64, others float32, true and false bool, text its UTF-8 bytes as uint8, and a list of numbers an
array of the list's shape, unless the manifest's ``dtypes`` say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array

TEXT = "text"
Column: TypeAlias = "Array | Sequence[Array]"
"""One array a sample: an array [rows, ...], or a list of arrays where their shapes differ."""

_WORDS = {"text": "text", "number": "a number", "list": "a list", "nothing": "nothing"}


@dataclass(frozen=True)
class Cells:
    """One column: its values, row by row, and where each row stands, as ``FILE:LINE``."""

    name: str
    values: Sequence[Any]
    where: Callable[[int], str]

    def refuse(self, row: int, found: str, wanted: str, remedy: str = "") -> UserError:
        """The error of one row."""
        remedy = remedy or "Correct the row, or say under dtypes what the column holds."
        return UserError(f"{self.where(row)}: column {self.name!r} holds {found}, and must hold {wanted}", remedy)


def kind_of(value: Any) -> str:
    """``text``, ``number``, ``list``, ``nothing`` (None), or the name of a type that is none of them."""
    if isinstance(value, (bytes, str)):
        return "text"
    if isinstance(value, (bool, int, float, np.number)):
        return "number"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "list"
    return "nothing" if value is None else type(value).__name__


def column_of(cells: Cells, dtype: str | None) -> Column:
    """The arrays of a column: [rows, 1] of numbers, [rows, ...] or a list for lists, a list of bytes for text.

    Raises UserError, with file and line, for a row that holds something else than the first one, or nothing.
    """
    kind = TEXT if dtype == TEXT else kind_of(cells.values[0])
    if kind not in ("text", "number", "list"):
        raise cells.refuse(0, _WORDS.get(kind, f"a {kind}"), "text, a number or a list", "Correct the row.")
    for row, value in enumerate(cells.values):
        if (found := kind_of(value)) != kind:
            raise cells.refuse(row, _WORDS.get(found, f"a {found}"), _WORDS[kind])
    if kind == "text":
        return text_column(cells, dtype)
    return number_column(cells, dtype) if kind == "number" else list_column(cells, dtype)


def text_column(cells: Cells, dtype: str | None) -> list[Array]:
    """Each text's UTF-8 bytes, uint8 [bytes]."""
    if dtype not in (None, TEXT, "uint8"):
        raise cells.refuse(0, f"the text {str(cells.values[0])[:40]!r}", f"{dtype}, as dtypes says")
    return [text_array(value) for value in cells.values]


def text_array(value: str | bytes) -> Array:
    """UTF-8 bytes, uint8 [bytes]."""
    return np.frombuffer(value.encode() if isinstance(value, str) else value, np.uint8)


def number_column(cells: Cells, dtype: str | None) -> Array:
    """Numbers as [rows, 1]."""
    return cast(cells, np.asarray(cells.values), dtype)[:, None]


def list_column(cells: Cells, dtype: str | None) -> Column:
    """One array for each list; a single array where all have one shape."""
    found = [as_array(cells, row) for row in range(len(cells.values))]
    filled = [array for array in found if array.size]
    wanted = dtype or default_dtype(np.result_type(*{array.dtype for array in filled}) if filled else np.dtype(float))
    arrays = [cast(cells, array, wanted, row) for row, array in enumerate(found)]
    return np.stack(arrays) if len({array.shape for array in arrays}) == 1 else arrays


def as_array(cells: Cells, row: int) -> Array:
    """The array of one list. Raises UserError when its parts differ in length, or are no numbers."""
    try:
        array = np.asarray(cells.values[row])
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise cells.refuse(
            row, "a list that is ragged, or not of numbers alone", "lists of numbers", "Correct the row."
        )
    return array


def default_dtype(found: np.dtype[Any]) -> str:
    """What a column becomes that ``dtypes`` says nothing about."""
    return {"b": "bool", "i": "int64", "u": "uint64", "f": "float32"}.get(found.kind, str(found))


def cast(cells: Cells, found: Array, dtype: str | None, row: int | None = None) -> Array:
    """Numbers in their dtype. Raises UserError, naming the row, for those that a whole number cannot hold.

    ``row`` is where ``found`` stands; without it, ``found`` has one number a row.
    """
    if found.dtype.kind == "O":  # Python's own whole numbers, which NumPy cannot hold
        large = next((place for place, value in enumerate(found.flat) if not -(2**63) <= value < 2**64), 0)
        raise cells.refuse(large if row is None else row, str(found.flat[large]), "numbers of 64 bits")
    wanted = np.dtype(dtype or default_dtype(found.dtype))
    with np.errstate(invalid="ignore", over="ignore"):
        made = found.astype(wanted)
        fits = (made == found) if wanted.kind in "biu" else np.ones(found.shape, bool)
    if not fits.all():
        first = int(np.argmin(fits))
        raise cells.refuse(first if row is None else row, str(found.flat[first]), f"what {wanted} can hold")
    return made


def check_dtype(name: object) -> str | None:
    """One entry of ``dtypes``. Raises UserError unless it is None, ``text``, or NumPy's name of a dtype of numbers."""
    if name is None or name == TEXT:
        return name
    try:
        dtype = np.dtype(name) if isinstance(name, str) else None
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in "biuf":
        raise UserError(f"dtypes has {name!r}, which is no dtype of numbers", "Write one as float32, or text, or null.")
    return str(dtype)
