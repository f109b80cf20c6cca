"""What a reproduction gave, as people read it: the verdict, figure by figure, and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlharness.cli.comparison import accuracy_rows
from mlharness.cli.output import Output
from mlharness.comparing.effects import geometric_mean
from mlharness.comparing.wording import interval, shortened, value
from mlharness.wording import FIGURES

Document = Mapping[str, Any]
_TOLD = 12
"""Differences that are shown without -v."""


def print_reasons(output: Output, run: str, reasons: Sequence[str]) -> None:
    """Why nothing was run."""
    output.line(f"{run}: NOT RUN, since it would be another run")
    for reason in reasons:
        output.line(f"  {reason}")


def print_document(output: Output, document: Document) -> None:
    """Verdict, figures, and what differs."""
    run = document["bundle"]["run"]
    output.line(f"{run}: {'REPRODUCED' if document['reproduced'] else 'NOT REPRODUCED'}{_how_near(document)}")
    for reason in document["reasons"]:
        output.line(f"  {reason}")
    if document["metrics"] or document["accuracy"]:
        output.line()
        heads = ("FIGURE", "BUNDLE", "HERE", "CHANGE", "INTERVAL")
        of_accuracy = [row[: len(heads)] for row in accuracy_rows(document["accuracy"])]
        output.table(heads, [*map(_metric, document["metrics"]), *of_accuracy])
    told = [f"environment: {text}" for text in document["environment"]["differences"]]
    told += [
        f"{one['aspect']}: {one['name']} was {shortened(one['bundle'])}, and is {shortened(one['here'])} here"
        for one in document["differences"]
    ]
    if told:
        output.line()
        output.line("What differs:")
        shown = told if output.verbose else told[:_TOLD]
        for text in shown:
            output.line(f"  {text}")
        if len(shown) < len(told):
            output.line(f"  ... and {len(told) - len(shown)} more (-v shows all)")
    output.line()
    for name in document["runs"]:
        output.line(f"run  {name}")


def _how_near(document: Document) -> str:
    decides = next((metric for metric in document["metrics"] if metric["decides"]), None)
    if decides is None or decides["ratio"] is None:
        return ""
    name = FIGURES.get(decides["name"], decides["name"])
    return f", {name} {100 * (decides['ratio'] - 1):+.1f} % against the bundle ({100 * document['within']:g} % allowed)"


def _metric(metric: Document) -> list[str]:
    name = FIGURES.get(metric["name"], f"latency {metric['name']}")
    here = value(geometric_mean(metric["values"]), metric["unit"]) if metric["ratio"] is not None else ""
    change = "" if metric["ratio"] is None else f"{100 * (metric['ratio'] - 1):+.2f} %"
    return [name, value(metric["bundle"], metric["unit"]), here, change, interval(metric)]
