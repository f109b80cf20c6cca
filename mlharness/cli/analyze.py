"""``mlh analyze``: where the time of a traced run goes, by the fifteen analyses of XSP, or by a question in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.cli.run_names import known_runs, run_argument
from mlharness.errors import UserError

if TYPE_CHECKING:
    from mlharness.analysis.catalogue import Analysis
    from mlharness.analysis.table import Table
    from mlharness.analysis.traced import Traced

FORMATS = ("table", "json", "csv")
_TOP = 10
"""Rows of an overview, in which nobody looks for all."""


def complete_analyses(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Numbers and names of analyses."""
    from mlharness.analysis.catalogue import ANALYSES

    words = [word for analysis in ANALYSES for word in (analysis.number, analysis.name)]
    return [word for word in words if word.lower().startswith(incomplete.lower())]


@click.command()
@run_argument
@click.argument("names", metavar="[ANALYSIS]...", nargs=-1, shell_complete=complete_analyses)
@click.option("--sql", metavar="QUERY", help="Answer a question about the tables spans, telemetry, calls, layers ...")
@click.option("--slowest", type=click.IntRange(1, 1000), metavar="N", help="The N slowest queries against the median.")
@click.option("--percentile", type=click.FloatRange(0, 100), metavar="P", help="The query at this percentile, too.")
@click.option("--query", "numbers", type=click.IntRange(0), multiple=True, metavar="ID", help="This query; repeatable.")
@click.option("--explain", is_flag=True, help="A verdict in words, with evidence, and what to change.")
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N rows with the largest figure.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="How to print: table (default), json or csv.")
@output_options
def command(
    run: str,
    names: Sequence[str],
    sql: str | None,
    slowest: int | None,
    percentile: float | None,
    numbers: tuple[int, ...],
    explain: bool,
    top: int | None,
    form: str | None,
    output: Output,
) -> None:
    """Say where the time of a traced RUN goes.

    ANALYSIS is one of XSP's, by number or name: A1 or model-information ... A15 or kernels-by-model. Without any, the
    model and its slowest layers are shown; with --json all fifteen are printed.
    """
    output = replace(output, json=output.json or form == "json")
    if output.json and form == "csv":
        raise UserError("--json and --format csv are two formats", "Leave one of them out.")
    directory = known_runs(output).find(run).files()
    queries = slowest is not None or percentile is not None or bool(numbers)
    if queries or explain:
        _check_alone(explain, queries, names, sql, form)
        _explain(directory, (slowest, percentile, numbers) if queries else None, output)
    elif sql is not None:
        _answer(directory, sql, names, form, output)
    else:
        _analyse(directory, names, top, form, output)


def _check_alone(explain: bool, queries: bool, names: Sequence[str], sql: str | None, form: str | None) -> None:
    """Raise UserError when single queries, or a verdict, are asked for together with something else."""
    what = "--explain" if explain else "--slowest, --percentile and --query"
    other = ("--slowest, --percentile and --query" if explain and queries else
             f"the analysis {names[0]!r}" if names else "--sql" if sql is not None else "")  # fmt: skip
    if other:
        raise UserError(f"{what} and {other} are two questions", "Ask one after the other.")
    if form == "csv":
        raise UserError(f"{what}: there is no table for --format csv", "Use --json.")


def _explain(directory: Path, chosen: tuple[int | None, float | None, tuple[int, ...]] | None, output: Output) -> None:
    from mlharness.cli.explained import show_queries, show_verdict
    from mlharness.explaining.queries import Choice

    if chosen is None:
        show_verdict(output, directory)
    else:
        slowest, percentile, numbers = chosen
        show_queries(output, directory, Choice(slowest or 0, percentile, numbers))


def _analyse(directory: Path, names: Sequence[str], top: int | None, form: str | None, output: Output) -> None:
    from mlharness.analysis.catalogue import ANALYSES, find_analysis
    from mlharness.analysis.loading import trace_of
    from mlharness.cli.tables import print_csv

    chosen = list(dict.fromkeys(map(find_analysis, names)))
    if form == "csv" and len(chosen) != 1:
        raise UserError("--format csv prints one table", "Name one analysis, such as A3.")
    traced = trace_of(directory, output.note)
    if form == "csv":
        print_csv(_cut(chosen[0].run(traced), top))
    elif output.json:
        tables = {analysis: _cut(analysis.run(traced), top) for analysis in chosen or ANALYSES}
        output.show(lambda: {found.number: _document(found, table) for found, table in tables.items()}, lambda: None)
    elif chosen:
        _print_chosen(output, chosen, traced, top)
    else:
        _print_overview(output, traced, top or _TOP)


def _document(analysis: Analysis, table: Table) -> dict[str, object]:
    return {"name": analysis.name, "title": analysis.title, **table.document()}


def _cut(table: Table, top: int | None) -> Table:
    return table if top is None else table.largest(top)


def _print_chosen(output: Output, chosen: Sequence[Analysis], traced: Traced, top: int | None) -> None:
    from mlharness.cli.tables import print_table

    for place, analysis in enumerate(chosen):
        output.line(f"{'' if place == 0 else chr(10)}{analysis.number} {analysis.title}")
        print_table(output, _cut(analysis.run(traced), top))


def _print_overview(output: Output, traced: Traced, top: int) -> None:
    """The model, its slowest layers, and what else there is."""
    from mlharness.analysis.catalogue import ANALYSES, find_analysis

    output.line(traced.result["run_id"])
    _print_chosen(output, [find_analysis("A1"), find_analysis("A3")], traced, top)
    output.line()
    rows = [[found.number, found.name, found.title, _state(found, traced)] for found in ANALYSES]
    output.table(("ANALYSIS", "NAME", "WHAT", "n/a BECAUSE"), rows)


def _state(analysis: Analysis, traced: Traced) -> str:
    return analysis.missing(traced)


def _answer(directory: Path, sql: str, names: Sequence[str], form: str | None, output: Output) -> None:
    from mlharness.analysis.asking import ask
    from mlharness.cli.tables import print_csv, print_table

    if names:
        raise UserError(f"--sql and the analysis {names[0]!r} are two questions", "Ask one after the other.")
    table = ask(directory, sql)
    if form == "csv":
        print_csv(table)
    else:
        output.show(lambda: table.document()["rows"], lambda: print_table(output, table))
