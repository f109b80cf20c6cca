"""Reads CSV and JSONL by the line, so that whatever is wrong is told with file and line."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness_data.cells import TEXT, Cells, Column, cast, column_of, kind_of


@dataclass(frozen=True)
class Lines:
    """The columns that were asked for, and the line on which each row begins.

    ``written`` says that every value is text as it was written, which may stand for a number.
    """

    path: Path
    columns: dict[str, list[Any]]
    lines: list[int]
    written: bool

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, name: str) -> Cells:
        """One column with the places of its rows."""
        return Cells(name, self.columns[name], lambda row: f"{self.path}:{self.lines[row]}")

    def arrays(self, name: str, dtype: str | None) -> Column:
        """A column's arrays; see :func:`mlharness_data.cells.column_of`."""
        cells = self.cells(name)
        if not self.written or dtype == TEXT:
            return column_of(cells, dtype)
        if dtype is None and number_of(cells.values[0]) is None:
            if not cells.values[0]:
                raise cells.refuse(0, "nothing", "text or a number")
            return column_of(cells, TEXT)
        return cast(cells, np.asarray(written_numbers(cells)), dtype)[:, None]

    def labels(self, name: str) -> list[Any]:
        """A column's values as labels; an empty field, or null, is None."""
        values = self.columns[name]
        if not self.written:
            return values
        numbers = [number_of(value) for value in values]
        if all(number is not None or not value for number, value in zip(numbers, values, strict=True)):
            return numbers
        return [value or None for value in values]


def written_numbers(cells: Cells) -> list[int | float]:
    """Every field as a number. Raises UserError with the line of the first that is none."""
    numbers = []
    for row, value in enumerate(cells.values):
        number = number_of(value)
        if number is None:
            raise cells.refuse(row, repr(value[:40]) if value else "nothing", "a number")
        numbers.append(number)
    return numbers


def number_of(written: str) -> int | float | None:
    """The number that a field stands for; None when it is none. An underscore, which Python would skip, is text."""
    if "_" in written:
        return None
    try:
        return int(written)
    except ValueError:
        pass
    try:
        return float(written)
    except ValueError:
        return None


def decoded_lines(path: Path) -> Iterator[str]:
    """A file's lines, unpacked when its name ends in .gz. Raises UserError with the line that is not UTF-8."""
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}:{number}: not UTF-8: {error.reason}", "Save the file as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:  # the last two: a .gz that is cut off or damaged
        raise UserError(f"{path} cannot be read: {error}", "Check the file and its permissions.") from error


def read_csv(path: Path, wanted: Sequence[str], delimiter: str) -> Lines:
    """Read a CSV file whose first row names the columns.

    Raises:
        UserError: no heading, a column that is not there, a row with another number of fields, or broken quotes.
    """
    rows = numbered_rows(path, delimiter)
    _, names = next(rows, (0, []))
    if not names:
        raise UserError(f"{path} is empty", "Its first line must name the columns.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{path}:1: the column {twice[0]!r} is there twice", "Rename one of them.")
    places = {name: names.index(find_name(name, names, path)) for name in wanted}
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    lines = []
    for line, row in rows:
        if len(row) != len(names):
            raise UserError(f"{path}:{line}: {len(row)} fields, and the heading has {len(names)}", "Correct the row.")
        lines.append(line)
        for name, place in places.items():
            columns[name].append(row[place])
    return Lines(path, columns, lines, written=True)


def numbered_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, and the line on which it begins."""
    reader = csv.reader(decoded_lines(path), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{path}:{line}: no CSV: {error}", "Correct its quotes, or option delimiter.") from error
        if row:
            yield line, row


def read_jsonl(path: Path, wanted: Sequence[str]) -> Lines:
    """Read a file with one JSON object a line. Raises UserError for a line that is none, or lacks a column."""
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    lines = []
    for line, text in enumerate(decoded_lines(path), start=1):
        if not text.strip():
            continue
        record = json_object(path, line, text)
        for name in wanted:
            columns[name].append(record[find_name(name, record, f"{path}:{line}")])
        lines.append(line)
    return Lines(path, columns, lines, written=False)


def json_object(path: Path, line: int, text: str) -> dict[str, Any]:
    """One line's object. Raises UserError when it is no JSON, or something else."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = getattr(error, "msg", error)
        raise UserError(f"{path}:{line}: no JSON: {said}", "Each line must be one JSON object.") from error
    if not isinstance(record, dict):
        raise UserError(
            f"{path}:{line}: the line is {_article(kind_of(record))}", "Each line must be one JSON object, {...}."
        )
    return record


def _article(kind: str) -> str:
    return kind if kind in ("text", "nothing") else f"a {kind}"


def find_name(name: str, known: Sequence[str] | dict[str, Any], where: object) -> str:
    """The name itself. Raises UserError with the likely right one when it is not known."""
    if name not in known:
        raise UserError(f"{where} has no column {name!r}", did_you_mean(name, known))
    return name
