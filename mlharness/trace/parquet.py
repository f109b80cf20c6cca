"""The files of a trace in a run directory: ``spans.parquet`` and ``telemetry.parquet``, and how to ask them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlharness.errors import UserError
from mlharness.trace.files import level_folder
from mlharness.trace.levels import LEVELS
from mlharness.trace.parentage import PARENTAGE
from mlharness.trace.spans import SpanTable

if TYPE_CHECKING:
    import duckdb

SPANS = "spans.parquet"
TELEMETRY = "telemetry.parquet"

_SELECT = """
    SELECT id, parent, query, level.text AS level, name.text AS name, kind.text AS kind, start_ns, duration_ns, thread,
           source.text AS source, parentage.text AS parentage, nullif(attributes.text, '') AS attributes
    FROM spans
    JOIN levels level ON level.code = spans.level
    JOIN parentages parentage ON parentage.code = spans.parentage
    JOIN strings name ON name.code = spans.name
    JOIN strings kind ON kind.code = spans.kind
    JOIN strings source ON source.code = spans.source
    JOIN strings attributes ON attributes.code = spans.attributes
"""


def write_spans(path: Path, table: SpanTable) -> None:
    """Write ``spans.parquet``: one row a span, in the order of the table; see docs/tracing.md for its columns."""
    columns = {
        "id": table.id, "parent": table.parent, "query": table.query, "level": table.level, "name": table.name,
        "kind": table.kind, "start_ns": table.start, "duration_ns": table.duration, "thread": table.thread,
        "source": table.source, "parentage": table.parentage, "attributes": table.attributes,
    }  # fmt: skip
    with _database() as database:
        database.register("spans", columns)
        for name, texts in (("levels", LEVELS), ("parentages", PARENTAGE), ("strings", table.strings)):
            database.register(name, {"code": np.arange(len(texts)), "text": np.array(texts, object)})
        _write(database, _SELECT, path)


def write_readings(path: Path, rows: Iterable[tuple[str, str, str, int, float]]) -> None:
    """Write ``telemetry.parquet``: source, name, unit, time_ns (CLOCK_MONOTONIC) and value of each reading."""
    sources, names, units, times, values = zip(*rows, strict=True)
    columns = {
        "source": np.array(sources, object), "name": np.array(names, object), "unit": np.array(units, object),
        "time_ns": np.array(times, np.int64), "value": np.array(values, np.float64),
    }  # fmt: skip
    with _database() as database:
        database.register("readings", columns)
        _write(database, "SELECT * FROM readings", path)


def spans_for(run: Path, level: str) -> Path:
    """The spans from which times of a level are taken: those of a run without deeper levels, which would slow it.

    ``--leveled`` makes such runs; without it, and for the deepest level, there is only the one trace.
    """
    # application and model are recorded by the same means, so that no run has one without the other
    shallow = level_folder(run, "model" if level == "application" else level) / SPANS
    return shallow if shallow.is_file() else run / SPANS


@contextmanager
def open_trace(run: Path, level: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables ``spans`` and ``telemetry`` of a run, which may be empty; nothing is written to.

    With a level, ``spans`` are those of :func:`spans_for`.

    Raises:
        UserError: the run has no trace.
    """
    spans = spans_for(run, level) if level else run / SPANS
    if not spans.is_file():
        raise UserError(f"{run.name} has no trace", "Run mlh bench with --trace full.")
    with _database() as database:
        _view(database, "spans", spans)
        if (run / TELEMETRY).is_file():
            _view(database, "telemetry", run / TELEMETRY)
        else:
            database.execute(
                "CREATE TABLE telemetry(source VARCHAR, name VARCHAR, unit VARCHAR, time_ns BIGINT, value DOUBLE)"
            )
        yield database


def _view(database: Any, name: str, path: Path) -> None:
    import duckdb

    try:
        database.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({_quoted(path)})")  # noqa: S608  # quoted
    except duckdb.Error as error:
        raise UserError(f"{path} cannot be read: {error}", "Trace the run again.") from error


def _write(database: Any, query: str, path: Path) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        database.execute(f"COPY ({query}) TO {_quoted(part)} (FORMAT parquet, COMPRESSION zstd)")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    text = str(path).replace("'", "''")
    return f"'{text}'"


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb  # 50 MB that a run without a trace does not need

    database = duckdb.connect(config={"preserve_insertion_order": True})
    try:
        database.execute("SET enable_progress_bar = false")  # it would be printed between the lines of --json
        yield database
    finally:
        database.close()
