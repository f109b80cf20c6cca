"""What ``mlh analyze`` prints of single queries, and of a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.text import Text
from rich.tree import Tree

from mlharness.cli.output import Output, printable
from mlharness.explaining import queries, verdict
from mlharness.explaining.queries import Choice, Compared, Comparison, Extra, aligned
from mlharness.explaining.rules.rule import duration, percent
from mlharness.explaining.shares import PARTS, Little
from mlharness.explaining.trees import Node
from mlharness.explaining.verdict import Verdict, written

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
    found = queries.compare_queries(run, choice)
    output.show(lambda: queries.document(found), lambda: _print_queries(output, found))


def _print_queries(output: Output, found: Comparison) -> None:
    output.line(
        f"median {found.unit}, number {found.median_number}: {duration(found.median.duration)}; "
        f"{found.count:,} {'queries' if found.unit == 'query' else 'batches'} in all"
        + ("" if found.told else "; without the system level nobody knows when threads did not run")
    )
    for one in found.chosen:
        output.line()
        _print_query(output, found, one)


def _print_query(output: Output, found: Comparison, one: Compared) -> None:
    took, extra = duration(one.tree.duration), _signed(one.extra_ns)
    output.line(f"{found.unit} {one.number}: {took}, {extra} against the median {found.unit}")
    least = SHOWN * abs(one.extra_ns)
    sums = [f"{_WHY[why]} {_signed(ns)}" for why, ns in one.by_reason().items() if ns and abs(ns) >= least]
    if len(sums) > 1:
        output.line(f"in all: {', '.join(sums)}")
    extras = [extra for extra in one.extras if abs(extra.ns) >= least][:MOST_EXTRAS]
    rows = [[_signed(extra.ns), _why(extra), " > ".join(extra.path[1:] or extra.path)] for extra in extras]
    if rows:
        output.table(("EXTRA", "WHY", "WHERE"), rows)
    output.console().print(_tree(one.tree, one.median, one.tree.duration, one.extra_ns))


def _why(extra: Extra) -> str:
    if extra.ns > 0:
        return _WHY[extra.why]
    return "took less itself" if extra.why == "own" else f"{_WHY[extra.why]}, in the median"


def _tree(node: Node, other: Node | None, whole: int, extra: int) -> Tree:
    tree = Tree(Text(printable(_words(node, other, whole))))
    for text, child in _branches(node, other, whole, extra):
        if child is None:
            tree.add(Text(printable(text)))
        else:
            tree.add(child)
    return tree


def _branches(node: Node, other: Node | None, whole: int, extra: int) -> Iterator[tuple[str, Tree | None]]:
    """The children that are worth a line, and one line for all others."""
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
    name = node.name if node.kind in ("", node.name) else f"{node.name} [{node.kind}]"
    change = "not in the median" if other is None else _signed(node.duration - other.duration)
    states = "".join(f", {kind} {duration(spent)}" for kind, spent in node.states.items())
    return f"{name}  {duration(node.duration)}  {percent(node.duration / whole if whole else 0.0)}  {change}{states}"


def _signed(nanoseconds: float) -> str:
    sign = "+" if nanoseconds > 0 else "-" if nanoseconds < 0 else ""
    return f"{sign}{duration(abs(nanoseconds))}"


def show_verdict(output: Output, run: Path) -> None:
    """The verdict on a run."""
    found = verdict.explain(run, output.note)
    output.show(lambda: verdict.document(found), lambda: _print_verdict(output, found))


def _print_verdict(output: Output, found: Verdict) -> None:
    output.line(found.headline)
    output.line()
    _print_shares(output, found)
    for place, (rule, one) in enumerate(found.findings, start=1):
        gain = one.gain
        predicted = (
            f"{gain.what} {gain.factor:.2f} times better: {gain.how}" if gain else f"not predicted: {one.no_gain}"
        )
        output.line(f"{place}. {rule.name}: {one.verdict}")
        output.line(f"   evidence: {'; '.join(map(written, one.facts))}")
        output.line(f"   change:   {one.change}")
        output.line(f"   gain:     {predicted}")
        output.line()
    if found.silent:
        output.line("Not judged:")
    for silent in found.silent:
        output.line(f"- {silent.rule.name} ({silent.rule.doc}): {silent.reason}")


def _print_shares(output: Output, found: Verdict) -> None:
    shares, little, preprocess = found.shares, found.little, found.evidence.preprocess_ns
    if shares is not None:
        rows = [[_PARTS[part], percent(shares[part])] for part in PARTS if shares[part] > 0]
        if preprocess:
            rows.append(["preprocess", f"0 %: before the test, {duration(preprocess)} in all"])
        output.table((f"SHARE OF {shares.of.upper()}", ""), rows)
        output.line()
    if little is not None:
        instances = f"{little.instances} {'instance' if little.instances == 1 else 'instances'}"
        in_hand = f"{little.in_service:.2f} batches in hand on average, of {instances}."
        output.line(_little(little) + in_hand)
    output.line()


def _little(little: Little) -> str:
    if little.expected is None or little.counted is None:
        return "Little's law: "
    told = {True: "as in", False: "NOT as in", None: "one at a time; in"}[little.holds]
    expected = f"the measured one, where rate x latency is {little.expected:.3g}"
    return f"Little's law: {little.counted:.3g} queries in the traced run, {told} {expected}; "
