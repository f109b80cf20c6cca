"""Runs as a table in a file: CSV, or Parquet, with one row a run."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import BigInteger, Boolean, DateTime, Double, Integer

from mlharness.errors import UserError, did_you_mean
from mlharness.store.tables import INTERNAL, runs

FORMATS = ("csv", "parquet")
_TYPES = {DateTime: "TIMESTAMP", Double: "DOUBLE", BigInteger: "BIGINT", Integer: "INTEGER", Boolean: "BOOLEAN"}


def column_types() -> dict[str, str]:
    """The columns of an export in order, with DuckDB's types; times are UTC."""
    found = {column.name: _TYPES.get(type(column.type), "VARCHAR") for column in runs.c if column.name not in INTERNAL}
    return {**found, "directory": "VARCHAR", "labels": "MAP(VARCHAR, VARCHAR)"}


def format_of(path: Path | None, given: str | None) -> str:
    """The format that is wanted: ``given``, else by the file's suffix, else CSV. Raises UserError."""
    suffix = path.suffix.lower().lstrip(".") if path else ""
    form = given or suffix or "csv"
    if form not in FORMATS:
        raise UserError(f"{path}: its suffix is no format", f"Use --format. {did_you_mean(form, FORMATS)}")
    if form == "parquet" and path is None:
        raise UserError("--format parquet needs a file", "Name one: -o runs.parquet")
    return form


def export(rows: Sequence[Mapping[str, Any]], path: Path, form: str) -> None:
    """Write rows of :func:`~mlharness.store.querying.list_runs` to a file, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        if form == "csv":
            with partial.open("w", encoding="utf-8", newline="") as stream:
                write_csv(rows, stream)
        else:
            write_parquet(rows, partial)
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", "Choose another file with -o.") from error
    finally:
        partial.unlink(missing_ok=True)


def write_csv(rows: Sequence[Mapping[str, Any]], stream: TextIO) -> None:
    """Rows under a heading; a missing value is empty, labels are a JSON object, times ISO 8601."""
    names = list(column_types())
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        plain = {**plainly(row), "labels": json.dumps(row["labels"], ensure_ascii=False)}
        writer.writerow([plain[name] for name in names])


def write_parquet(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The rows as Parquet, by way of lines of JSON, which DuckDB reads as fast as it writes. Raises OSError."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="mlharness-") as folder:
        lines = Path(folder) / "rows.json"
        with lines.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{json.dumps(plainly(row))}\n" for row in rows)
        try:
            with duckdb.connect() as connection:
                connection.execute("SET enable_progress_bar = false")  # the terminal is not its own
                table = connection.read_json(str(lines), columns=column_types(), format="newline_delimited")
                table.write_parquet(str(path))
        except duckdb.IOException as error:
            raise OSError(0, " ".join(str(error).split())) from error


def plainly(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its times as text."""
    return {
        key: value.isoformat(sep=" ", timespec="milliseconds") if isinstance(value, datetime) else value
        for key, value in row.items()
    }
