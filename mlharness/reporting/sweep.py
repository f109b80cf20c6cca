"""The page of a sweep: its table, its plots, and what could not be measured."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from mlharness.reporting.charts import make_chart
from mlharness.reporting.page import Cell, Column, Section, make_page, make_table
from mlharness.reporting.rendering import render
from mlharness.reporting.sweep_charts import SHOWN, chart_of
from mlharness.sweeping.charts import OTHER_NETWORK
from mlharness.sweeping.directory import SweepDirectory
from mlharness.sweeping.table import table_of
from mlharness.sweeping.wording import accuracy, framework, latency, ranged, said, status

Row = Mapping[str, Any]
TONES = {"valid": "good", "pending": "muted"}
CHANGING = (("Device", "device"), ("Scenario", "scenario"), ("Batch", "batch_size"), ("Instances", "instances"))
"""Columns that are shown when the rows differ in them."""


def sweep_page(directory: SweepDirectory, more: Sequence[Section] = ()) -> str:
    """The page of a sweep, as far as it has come.

    Raises:
        UserError: the extra ``plots``, which draws charts, is not installed.
    """
    table = table_of(directory)
    sections = [summary(table), rows_of(table), *plots(table), *failures(table), *more, again(table, directory)]
    header = render("sweep/header.html", table=table)
    return make_page(f"{table['name']}: sweep", sections, header=header, kind="sweep")


def summary(table: Row) -> Section:
    """How far it has come, and how it went."""
    rows = table["rows"]
    facts = {
        "cells": str(len(rows)),
        **{f"cells {name}": str(count) for name, count in Counter(row["status"] for row in rows).items()},
        "runs of each": str(table["repetitions"]),
        "models": str(len({row["model"] for row in rows})),
    }
    missed = [row for row in rows if row["accuracy"] and row["accuracy"]["passed"] is False]
    html = render(
        "sweep/summary.html",
        table=table,
        facts=facts,
        wrong=sum(row["status"] not in ("valid", "pending") for row in rows),
        pending=sum(row["status"] == "pending" for row in rows),
        other=sum(bool(row["differs"]) for row in rows),
        missed=len(missed),
    )
    return Section("Summary", html)


def rows_of(table: Row) -> Section:
    """The table; a row whose network is not that of the model's first row is marked."""
    rows = table["rows"]
    changing = [(title, key) for title, key in CHANGING if len({str(row[key]) for row in rows}) > 1]
    columns = [
        Column("Model"),
        Column("Framework"),
        *(Column(title, key in ("batch_size", "instances")) for title, key in changing),
        Column("Status"),
        Column("Samples/s", True, "Median over the runs, and from the least to the largest"),
        Column("p90", True, "90th percentile of latencies; none of Offline, whose one query holds all samples"),
        Column("Accuracy", True),
        Column("Parameters", True),
        Column("Network", told=f"{OTHER_NETWORK}: not the network of the model's first row"),
    ]
    cells: list[list[Cell | str]] = [
        [
            model_of(row),
            framework(row),
            *(Cell("" if row[key] is None else str(row[key]), row[key]) for _, key in changing),
            Cell(status(row), kind=TONES.get(row["status"], "bad")),
            Cell(ranged(row["throughput"]), row["throughput"] and row["throughput"]["value"]),
            Cell(latency(row), row["latency_ns"]["p90"]["value"] if latency(row) else None),
            Cell(accuracy(row), row["accuracy"] and row["accuracy"]["value"],
                 kind="bad" if row["accuracy"] and row["accuracy"]["passed"] is False else ""),
            Cell("" if row["parameters"] is None else f"{row['parameters']:,}", row["parameters"]),
            Cell(f"{OTHER_NETWORK} {row['differs']}" if row["differs"] else "", kind="differs"),
        ]
        for row in rows
    ]  # fmt: skip
    filled = [place for place in range(len(columns)) if any(_text(line[place]) for line in cells)]
    shown = make_table(
        [columns[place] for place in filled], [[line[place] for place in filled] for line in cells], kind="sweep whole"
    )
    return Section("Table", shown)


def model_of(row: Row) -> Cell:
    """The model, marked when it is another network under the same name."""
    return (
        Cell(f"{row['model']} {OTHER_NETWORK}", title=row["differs"], kind="differs")
        if row["differs"]
        else Cell(row["model"])
    )


def _text(cell: Cell | str) -> str:
    return cell.text if isinstance(cell, Cell) else cell


def plots(table: Row) -> Iterator[Section]:
    """A section for each plot for which there are figures, with a chart for each scenario."""
    scenarios = list(dict.fromkeys(row["scenario"] for row in table["rows"]))
    for name, title in SHOWN.items():
        parts = Markup("")
        for scenario in scenarios:
            found = chart_of(table, name, scenario)
            if found is None:
                continue
            spec, told = found
            if len(scenarios) > 1:
                parts += render("heading.html", text=scenario)
            parts += make_chart(spec, f"{title}, {scenario}", told)
        if parts:
            yield Section(title, parts)


def failures(table: Row) -> Iterator[Section]:
    """The cells that have no valid run, with what is to be done."""
    rows = [row for row in table["rows"] if row["status"] not in ("valid", "pending")]
    if not rows:
        return
    columns = (Column("Model"), Column("Framework"), Column("Scenario"), Column("Status"), Column("Why"))
    cells = [[row["model"], framework(row), row["scenario"], Cell(status(row), kind="bad"), said(row)] for row in rows]
    yield Section("Without a figure", make_table(columns, cells))


def again(table: Row, directory: SweepDirectory) -> Section:
    """What to type to go on, or to see more of it."""
    resume = shlex.join(["mlh", "sweep", "--resume", str(directory.path)])
    facts = [("sweep", table["sweep"]), ("directory", str(directory.path)), ("asked for (sha256)", table["sha256"])]
    return Section("Reproduce", render("sweep/again.html", complete=table["complete"], resume=resume, facts=facts))
