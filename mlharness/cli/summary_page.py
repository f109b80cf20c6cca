"""What a command found as a page for people: the same words as in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlharness.cli.comparison import blocks as comparison_blocks
from mlharness.cli.comparison import doubt
from mlharness.cli.summaries import Found
from mlharness.cli.summary import accuracy, figure, headline, rows
from mlharness.cli.sweep_table import table_of_rows
from mlharness.summarising.blocks import Block, Heading, Remark, Table
from mlharness.wording import milliseconds

Document = Mapping[str, Any]
_DETAILED = 1
"""So many runs are shown in full; more are a row each."""


def page_of(found: Found) -> Iterator[Block]:
    """Runs, then the comparison or the table, then the remedy of an error."""
    results = [made.result for made in found.every_run()]
    if found.comparison is not None:
        yield from comparison_blocks(found.comparison)
        yield from map(Remark, checks(found.comparison))
    if results:
        yield from run_blocks(results)
    if found.table is not None:
        table = found.table()
        yield table_of_rows(table["rows"])
        yield Remark(f"sweep {table['sweep']}{'' if table['complete'] else ', not complete'}")
    remedy = getattr(found.error, "remedy", "")
    if remedy:
        yield Remark(remedy)


def run_blocks(results: Sequence[Document]) -> Iterator[Block]:
    """Few runs in full, many as a table."""
    if len(results) > _DETAILED:
        yield Heading(f"{len(results)} runs")
        heads = ("RUN", "WHAT", "FIGURE", "P90", "ACCURACY", "QUALITY")
        yield Table(heads, [run_row(result) for result in results])
        return
    for result in results:
        yield Heading(headline(result))
        told = [*rows(result), ("run", result["run_id"])]
        told += [("label", f"{key}={value}") for key, value in result["labels"].items()]
        yield Table(("", ""), told)
        yield from (Remark(f"warning: {text}") for text in result["warnings"])


def run_row(result: Document) -> tuple[str, ...]:
    """One of many runs."""
    latency = result["latency_ns"] if result["scenario"] != "Offline" else None
    return (
        result["run_id"],
        headline(result),
        figure(result) if result["metric"] else "",
        milliseconds(latency["p90"]) if latency else "",
        accuracy(result["accuracy"]) if result["accuracy"] else "",
        result["quality"]["grade"] if result["quality"] else "",
    )


def checks(document: Document) -> Iterator[str]:
    """What became of each condition."""
    for check in document["checks"]:
        verdict = "HOLDS" if check["failed"] else "does not hold"
        but = f"; but {doubt(check)}" if doubt(check) else ""
        yield f"--fail-if {check['condition']} {verdict} for {check['b']}{but}"
