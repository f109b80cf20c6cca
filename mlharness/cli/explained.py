"""What ``mlh analyze`` prints of single queries, and of a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlharness.cli.output import Output, printable

if TYPE_CHECKING:
    from rich.tree import Tree

    from mlharness.explaining.queries import Choice, Compared, Comparison
    from mlharness.explaining.trees import Node
    from mlharness.explaining.verdict import Verdict

SHOWN = 0.01
"""A span is printed when it, or its difference, is at least this share of its query, or of the extra time."""
MOST_EXTRAS = 8
_WHY = {
    "schedule": "LoadGen issued it late",
    "queue": "waited for a worker",
    "preempted": "its thread was preempted",
    "blocked": "its thread waited",
    "own": "took longer itself",
}
_PARTS = {
    "queue": "in the queue",
    "predict": "predict",
    "postprocess": "postprocess",
    "harness": "harness: gathering inputs, handing over responses",
    "idle": "between batches",
}


def show_queries(output: Output, run: Path, choice: Choice) -> None:
    """Each chosen query: where its extra time went, and its tree beside the median query's."""
    from mlharness.explaining.queries import compare_queries, document

    found = compare_queries(run, choice)
    output.show(lambda: document(found), lambda: _print_queries(output, found))


def _print_queries(output: Output, found: Comparison) -> None:
    from mlharness.explaining.rules.rule import duration

    output.line(
        f"median {found.unit}, number {found.median_number}: {duration(found.median.duration)}; "
        f"{found.count:,} {'queries' if found.unit == 'query' else 'batches'} in all"
        + ("" if found.told else "; without the system level nobody knows when threads did not run")
    )
    for one in found.chosen:
        output.line()
        _print_query(output, found, one)


def _print_query(output: Output, found: Comparison, one: Compared) -> None:
    from mlharness.explaining.rules.rule import duration

    took, extra = duration(one.tree.duration), _signed(one.extra_ns)
    output.line(f"{found.unit} {one.number}: {took}, {extra} against the median {found.unit}")
    least = SHOWN * abs(one.extra_ns)
    extras = [extra for extra in one.extras if abs(extra.ns) >= least][:MOST_EXTRAS]
    rows = [[_signed(extra.ns), _WHY[extra.why] if extra.ns > 0 or extra.why != "own" else "took less itself",
             " > ".join(extra.path[1:] or extra.path)] for extra in extras]  # fmt: skip
    if rows:
        output.table(("EXTRA", "WHY", "WHERE"), rows)
    output.console().print(_tree(one.tree, one.median, one.tree.duration, one.extra_ns))


def _tree(node: Node, other: Node | None, whole: int, extra: int) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(printable(_words(node, other, whole))))
    for text, child in _branches(node, other, whole, extra):
        if child is None:
            tree.add(Text(printable(text)))
        else:
            tree.add(child)
    return tree


def _branches(node: Node, other: Node | None, whole: int, extra: int) -> Iterator[tuple[str, Tree | None]]:
    """The children that are worth a line, and one line for all others."""
    from mlharness.explaining.queries import aligned
    from mlharness.explaining.rules.rule import duration

    rest, spent, difference = 0, 0, 0
    for child, twin in aligned(node, other):
        more = (child.duration if child else 0) - (twin.duration if twin else 0)
        worth = (child and child.duration >= SHOWN * whole) or abs(more) >= max(1, SHOWN * abs(extra))
        if child and worth:
            yield "", _tree(child, twin, whole, extra)
        elif twin and worth:
            yield f"({twin.name}: only in the median, {duration(twin.duration)})", None
        else:
            rest, spent, difference = rest + 1, spent + (child.duration if child else 0), difference + more
    if rest:
        yield f"({rest} more: {duration(spent)}, {_signed(difference)})", None


def _words(node: Node, other: Node | None, whole: int) -> str:
    from mlharness.explaining.rules.rule import duration, percent

    name = node.name if node.kind in ("", node.name) else f"{node.name} [{node.kind}]"
    change = "not in the median" if other is None else _signed(node.duration - other.duration)
    states = "".join(f", {kind} {duration(spent)}" for kind, spent in node.states.items())
    return f"{name}  {duration(node.duration)}  {percent(node.duration / whole if whole else 0.0)}  {change}{states}"


def _signed(nanoseconds: float) -> str:
    from mlharness.explaining.rules.rule import duration

    sign = "+" if nanoseconds > 0 else "-" if nanoseconds < 0 else ""
    return f"{sign}{duration(abs(nanoseconds))}"


def show_verdict(output: Output, run: Path) -> None:
    """The verdict on a run."""
    from mlharness.explaining.verdict import document, explain

    verdict = explain(run, output.note)
    output.show(lambda: document(verdict), lambda: _print_verdict(output, verdict))


def _print_verdict(output: Output, verdict: Verdict) -> None:
    output.line(verdict.headline)
    output.line()
    _print_shares(output, verdict)
    for place, (rule, found) in enumerate(verdict.findings, start=1):
        from mlharness.explaining.verdict import written

        output.line(f"{place}. {rule.name}: {found.verdict}")
        output.line(f"   evidence: {'; '.join(map(written, found.facts))}")
        output.line(f"   change:   {found.change}")
        gain = found.gain
        output.line(
            f"   gain:     {gain.what} {gain.factor:.2f} times better: {gain.how}"
            if gain
            else f"   gain:     not predicted: {found.no_gain}"
        )
        output.line()
    if verdict.silent:
        output.line("Not judged:")
    for one in verdict.silent:
        output.line(f"- {one.rule.name} ({one.rule.doc}): {one.reason}")


def _print_shares(output: Output, verdict: Verdict) -> None:
    from mlharness.explaining.rules.rule import duration, percent
    from mlharness.explaining.shares import PARTS

    shares, little = verdict.shares, verdict.little
    if shares is not None:
        rows = [[_PARTS[part], percent(shares[part])] for part in PARTS if shares[part] > 0]
        if verdict.evidence.preprocess_ns:
            rows.append(["preprocess", f"0 %: before the test, {duration(verdict.evidence.preprocess_ns)} in all"])
        output.table((f"SHARE OF {shares.of.upper()}", ""), rows)
        output.line()
    if little is not None:
        output.line(_little(little.expected, little.counted, little.holds) + (
            f"{little.in_service:.2f} batches in hand on average, of {little.instances} "
            f"{'instance' if little.instances == 1 else 'instances'}."
        ))  # fmt: skip
    output.line()


def _little(expected: float | None, counted: float | None, holds: bool | None) -> str:
    if expected is None or counted is None:
        return "Little's law: "
    told = f"{'as' if holds else 'NOT as'} rate x latency of the measured one ({expected:.3g})"
    return f"Little's law: {counted:.3g} queries in the traced run, {told}; "
