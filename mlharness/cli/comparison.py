"""A comparison as people read it: what was compared, what differs, the verdict, then metric by metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from mlharness.cli.exits import ExitCode, ProblemsError
from mlharness.cli.output import Output
from mlharness.cli.summaries import Found
from mlharness.comparing.comparison import compare_groups
from mlharness.comparing.groups import Group
from mlharness.comparing.verdict import Condition, check_all
from mlharness.comparing.wording import change, interval, left_out, micro, percent, remarks, shortened, value
from mlharness.errors import UserError
from mlharness.summarising.blocks import Block, Heading, Remark, Table
from mlharness.summarising.markdown import lines as markdown_lines
from mlharness.wording import FIGURES, milliseconds

Document = Mapping[str, Any]
_LAYERS = 10
"""Layers that are shown, unless more are needed to explain the difference."""


def report(
    output: Output,
    groups: Sequence[Group],
    anyway: bool,
    conditions: Sequence[Condition],
    found: Found,
    markdown: bool = False,
) -> ExitCode:
    """Compare, check the conditions, and show both; FAILED when a condition holds. ``found`` gets the document.

    Raises:
        UserError: there is nothing to compare.
        ProblemsError: a pair is unfair and nobody said ``--anyway``, or a condition has no answer; the document goes
            with it.
    """
    document = found.comparison = compare_groups(groups, anyway)
    problem = refusal(document)
    if problem is None:
        try:
            document["checks"] = check_all(document["comparisons"], conditions)
        except UserError as error:
            problem = error
    if problem is None or not output.json:
        output.show(lambda: document, lambda: show(output, document, markdown))
    if problem is not None:
        raise ProblemsError(problem.message, problem.remedy, {"comparison": document})
    for check in document["checks"]:
        if doubt(check):
            output.note(f"warning: --fail-if {check['condition']}: {doubt(check)}")
    failed = [check for check in document["checks"] if check["failed"]]
    for check in failed:
        output.note(f"failed: --fail-if {check['condition']} holds for {check['b']}")
    return ExitCode.FAILED if failed else ExitCode.DONE


def doubt(check: Document) -> str:
    """Why not to rely on a condition that does not hold; empty when nothing speaks against it."""
    overlooked = check["too_fine"] and not check["failed"]
    return "so few runs overlook such a change often; more of them see smaller ones" if overlooked else ""


def refusal(document: Document) -> UserError | None:
    """Why not all of this can be ranked; None when it can."""
    for comparison in document["comparisons"]:
        if not comparison["ranked"] and comparison["unfair"]:
            sides = f"{comparison['a']!r} and {comparison['b']!r}"
            why = "; ".join(comparison["unfair"])
            return UserError(f"{sides} are not ranked, since that would be unfair: {why}", "Add --anyway to rank them.")
    for group in document["groups"]:
        if not group["runs"]:
            reasons = "; ".join(f"{one['run']} is {one['reason']}" for one in group["left_out"])
            return UserError(f"{group['name']!r} has no valid run: {reasons}", "Only valid runs are compared.")
    return None


def show(output: Output, document: Document, markdown: bool = False) -> None:
    """Print a comparison on stdout, for a terminal or in Markdown."""
    if markdown:
        for line in markdown_lines(blocks(document)):
            output.line(line)
        return
    indent = ""
    for block in blocks(document):
        if isinstance(block, Heading):
            output.line()
            output.line(block.text)
            indent = "  "
        elif isinstance(block, Remark):
            output.line(f"{indent}{block.text}")
        else:
            if block.title:
                output.line()
                output.line(block.title)
            if indent:  # the first table has nothing above it
                output.line()
            output.table(block.columns, block.rows)


def blocks(document: Document) -> Iterator[Block]:
    """A comparison as a page."""
    letters = dict(zip((group["name"] for group in document["groups"]), ascii_uppercase, strict=False))
    yield Table(("", "RUNS", "WHAT", "QUALITY"), [group_row(group, letters) for group in document["groups"]])
    yield from map(Remark, left_out(document["groups"]))
    for comparison in document["comparisons"]:
        a, b = _sides(comparison, letters)
        yield Heading(headline(comparison, letters))
        yield from map(Remark, remarks(comparison, {"a": a, "b": b}))
        if comparison["differences"]:
            yield Table(("DIFFERS", "", a, b, ""), list(difference_rows(comparison["differences"])))
        if comparison["metrics"] or comparison["accuracy"]:
            heads = ("METRIC", a, b, "CHANGE", "INTERVAL", "COULD HAVE SEEN", "VERDICT")
            yield Table(heads, [*metric_rows(comparison["metrics"]), *accuracy_rows(comparison["accuracy"])])
        for title, rows in trace_tables(comparison["traces"]):
            yield Table(("", "TYPE", a, b, "CHANGE", "SHARE", "MATCHED BY"), rows, title)


def headline(comparison: Document, letters: Mapping[str, str]) -> str:
    """The verdict in one line, with the change that decides it."""
    a, b = _sides(comparison, letters)
    how = f"{comparison['pairs']} pairs" if comparison["pairs"] is not None else "independent runs"
    text = f"{b} against {a}, {how}: {comparison['verdict'].upper()}"
    decides = next((metric for metric in comparison["metrics"] if metric["decides"]), None)
    if decides and decides["interval"]:
        name = FIGURES.get(decides["name"], decides["name"])
        confidence = f"{100 * comparison['confidence']:.4g} %"
        text += f", {name} {change(decides['ratio'])} ({confidence} interval {interval(decides)})"
    return f"{text} [unfair, ranked with --anyway]" if comparison["anyway"] else text


def group_row(group: Document, letters: Mapping[str, str]) -> list[str]:
    """One group: its letter and name, how many runs count, what they are of, and their grades."""
    about = group["about"]
    version = " ".join(filter(None, (about["framework"], about["framework_version"])))
    what = (
        f"{about['model']} on {version}, {about['device']}, {about['scenario']} ({about['rules']}), "
        f"{about['instances']} x {about['threads']} threads, batch {about['batch_size']}, {about['dataset']}"
    )
    grades = ", ".join(f"{count} {grade}" for grade, count in group["grades"].items())
    name = f"{letters.get(group['name'], '?')}: {group['name']}"
    return [name, str(len(group["runs"])), ", ".join(filter(None, (what, about["host"]))), grades]


def difference_rows(differences: Sequence[Document]) -> Iterator[list[str]]:
    """A row for each difference, the unfair ones marked."""
    for found in differences:
        name = found["name"] if found["name"] != found["aspect"] else ""
        yield [found["aspect"], name, shortened(found["a"]), shortened(found["b"]), "UNFAIR" if found["unfair"] else ""]


def metric_rows(metrics: Sequence[Document]) -> Iterator[list[str]]:
    """A row for each metric."""
    for metric in metrics:
        sides = [value(metric[side]["mean"], metric["unit"]) for side in ("a", "b")]
        smallest = "" if metric["smallest"] is None else percent(metric["smallest"])
        name = FIGURES.get(metric["name"], f"latency {metric['name']}")
        yield [name, *sides, change(metric["ratio"]), interval(metric), smallest, metric["verdict"]]


def accuracy_rows(found: Document | None) -> Iterator[list[str]]:
    """The accuracy's row, in its own unit."""
    if found is None:
        return
    sides = [f"{found[side]['value']:.5g} {found['unit']}".rstrip() for side in ("a", "b")]
    difference = "" if found["difference"] is None else f"{found['difference']:+.3g}"
    bounds = "" if found["interval"] is None else f"{found['interval'][0]:+.3g} to {found['interval'][1]:+.3g}"
    smallest = "" if found["smallest"] is None else f"{found['smallest']:.2g}"
    yield [found["metric"], *sides, difference, bounds, smallest, found["verdict"]]


def trace_tables(traces: Document | None) -> Iterator[tuple[str, list[list[str]]]]:
    """Layers and kernels of the traced runs: a title with their whole difference, and the rows."""
    for part in ("layers", "kernels"):
        found = traces[part] if traces else None
        if found:
            sums = f"{milliseconds(found['a_ns'])} and {milliseconds(found['b_ns'])}, {micro(found['delta_ns'])}"
            yield f"{part} in a traced call: {sums}; * explain nine tenths of it", list(layer_rows(found["rows"]))


def layer_rows(rows: Sequence[Document]) -> Iterator[list[str]]:
    """The layers that explain the difference, and the next largest."""
    for number, row in enumerate(rows):
        if number >= _LAYERS and not row["explains"]:
            return
        names = [shortened(", ".join(row[side])) for side in ("a", "b") if row[side]]
        share = "" if row["share"] is None else f"{round(100 * row['share'])} %"
        sides = [milliseconds(row[f"{side}_ns"]) if row[side] else "-" for side in ("a", "b")]
        marked = f"{share}{' *' if row['explains'] else ''}"
        yield [" -> ".join(dict.fromkeys(names)), row["type"], *sides, micro(row["delta_ns"]), marked, row["how"]]


def _sides(comparison: Document, letters: Mapping[str, str]) -> tuple[str, str]:
    return letters.get(comparison["a"], "?"), letters.get(comparison["b"], "?")
