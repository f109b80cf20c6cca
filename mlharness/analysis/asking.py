"""A question in SQL about a run's trace."""

from __future__ import annotations

from pathlib import Path

from mlharness.analysis.loading import analysed
from mlharness.analysis.table import Column, Table
from mlharness.errors import UserError

TABLES = ("spans", "telemetry", "calls", "layers", "layer_spans", "kernels", "kernel_spans")
"""What a question can be about; docs/analyses.md has their columns."""


def ask(run: Path, query: str) -> Table:
    """The answer of DuckDB; nothing that a query does changes the run.

    Raises:
        UserError: the run has no trace, or the query is none that DuckDB can answer.
    """
    import duckdb  # 50 MB that other commands do not need

    with analysed(run) as (database, _):
        try:
            answer = database.execute(query)
            columns = [Column(entry[0]) for entry in answer.description or ()]
            rows = answer.fetchall() if columns else []
        except duckdb.Error as error:
            message = str(error).strip()
            raise UserError(f"--sql {query!r} has no answer: {message}", f"Tables: {', '.join(TABLES)}.") from error
    return Table(columns, [list(row) for row in rows])
