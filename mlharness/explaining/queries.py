"""The slowest queries, or any, against the median one: span by span, and where the extra time went.

Offline has one query; there the batches are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlharness.errors import UserError, did_you_mean
from mlharness.explaining.slices import BLOCKED, PREEMPTED, read_slices
from mlharness.explaining.trees import Node, read_trees
from mlharness.trace.parquet import open_trace
from mlharness.trace.queries import QUEUE, SCHEDULE

Unit = Literal["query", "batch"]
FEW = 3
"""With fewer queries than these there is no median worth the name, and batches are compared."""
REASONS = ("schedule", "queue", "preempted", "blocked", "own")
"""Where extra time can have gone: LoadGen issued late; the query waited for a worker; its thread wanted a core; its
thread waited, as for a lock; or the span took longer itself."""

_UNITS = {
    "query": "SELECT query, id, duration_ns FROM spans WHERE kind = 'query' ORDER BY duration_ns, query",
    "batch": """SELECT CAST(attributes ->> 'batch' AS BIGINT), id, duration_ns FROM spans
                WHERE kind = 'batch' ORDER BY 3, 1""",
}


@dataclass(frozen=True)
class Choice:
    """Which queries are shown: the slowest so many, the one at a percentile, and those with these numbers."""

    slowest: int = 0
    percentile: float | None = None
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Extra:
    """Time that one span of the query took beyond the same span of the median query; below 0: less."""

    path: tuple[str, ...]
    level: str
    why: str
    ns: int


@dataclass(frozen=True)
class Compared:
    """A query's tree against the median query's, and the extra time by what it was spent on, the most first.

    ``overlap_ns`` is what is missing from the extras' sum to the extra time: what several spans spent at once.
    """

    number: int
    tree: Node
    median: Node
    extras: tuple[Extra, ...]

    @property
    def overlap_ns(self) -> int:
        """See above: 0 where no two spans of one tree ran at the same time."""
        return self.extra_ns - sum(extra.ns for extra in self.extras)

    @property
    def extra_ns(self) -> int:
        """By how much it took longer than the median query."""
        return self.tree.duration - self.median.duration

    def by_reason(self) -> dict[str, int]:
        """The extra time of each reason."""
        return {why: sum(one.ns for one in self.extras if one.why == why) for why in REASONS}


@dataclass(frozen=True)
class Comparison:
    """What was asked for: ``median_number`` names the query that the others are held against."""

    unit: Unit
    count: int
    median_number: int
    median: Node
    chosen: tuple[Compared, ...]
    told: bool
    """Whether the system level says when threads did not run."""


def compare_queries(run: Path, choice: Choice) -> Comparison:
    """The chosen queries of a traced run against its median query.

    Raises:
        UserError: there is no trace, it has no queries, or not those that were named.
    """
    with open_trace(run) as database:
        unit, rows = _units(database, run)
        known = {number: span for number, span, _ in rows}
        middle = rows[(len(rows) - 1) // 2][0]
        numbers = list(dict.fromkeys(_choose(choice, unit, [number for number, _, _ in rows])))
        slices = read_slices(database)
        trees = read_trees(database, [known[number] for number in dict.fromkeys([middle, *numbers])], slices)
    median = trees[known[middle]]
    compared = tuple(compare(number, trees[known[number]], median) for number in numbers)
    return Comparison(unit, len(rows), middle, median, compared, bool(slices))


def _units(database: Any, run: Path) -> tuple[Unit, list[tuple[int, int, int]]]:
    """What is compared, and its rows, the fastest first: number, id of the span, nanoseconds."""
    queries = database.execute(_UNITS["query"]).fetchall()
    batches = database.execute(_UNITS["batch"]).fetchall() if len(queries) < FEW else []
    if batches and len(batches) > len(queries):
        return "batch", batches
    if not queries:
        raise UserError(f"the trace of {run.name} has no queries", "Trace with the level application, too.")
    return "query", queries


def _choose(choice: Choice, unit: Unit, ranked: Sequence[int]) -> Iterator[int]:
    yield from list(reversed(ranked))[: choice.slowest]
    if choice.percentile is not None:
        yield ranked[min(len(ranked) - 1, int(choice.percentile / 100 * len(ranked)))]
    for number in choice.numbers:
        if number not in ranked:
            names = [str(one) for one in ranked]
            raise UserError(f"--query {number}: the trace has no such {unit}", did_you_mean(str(number), names[:1000]))
        yield number


def compare(number: int, tree: Node, median: Node) -> Compared:
    """A query's tree against another's."""
    found = sorted(_extras(tree, median, ()), key=lambda extra: -abs(extra.ns))
    return Compared(number, tree, median, tuple(found))


def _extras(node: Node | None, other: Node | None, above: tuple[str, ...]) -> Iterator[Extra]:
    """What one of two spans took more than the other, here and below; either may be missing."""
    some = node or other
    assert some is not None, "one of the two is there"
    path = (*above, some.name)
    for why, ns in _here(node, other):
        if ns:
            yield Extra(path, some.level, why, ns)
    for child, twin in aligned(node, other):
        yield from _extras(child, twin, path)


def _here(node: Node | None, other: Node | None) -> Iterator[tuple[str, int]]:
    """The extra time of a span itself, by reason."""
    some = node or other
    assert some is not None, "one of the two is there"
    rest = (node.own_ns if node else 0) - (other.own_ns if other else 0)
    for kind in (PREEMPTED, BLOCKED):
        spent = (node.states.get(kind, 0) if node else 0) - (other.states.get(kind, 0) if other else 0)
        rest -= spent
        yield kind, spent
    yield some.kind if some.kind in (QUEUE, SCHEDULE) else "own", rest


def aligned(node: Node | None, other: Node | None) -> Iterator[tuple[Node | None, Node | None]]:
    """The children of two spans in pairs, by level, name and occurrence; those of the first come first."""
    twins = dict(other.numbered()) if other else {}
    for label, child in node.numbered() if node else ():
        yield child, twins.pop(label, None)
    for twin in twins.values():
        yield None, twin


def document(found: Comparison) -> dict[str, Any]:
    """The comparison as plain JSON data; times in nanoseconds."""
    return {
        "unit": found.unit,
        "count": found.count,
        "median": {"number": found.median_number, "duration_ns": found.median.duration},
        "system_level": found.told,
        "chosen": [
            {
                "number": one.number,
                "duration_ns": one.tree.duration,
                "extra_ns": one.extra_ns,
                "extra_by_reason_ns": one.by_reason(),
                "overlap_ns": one.overlap_ns,
                "extras": [
                    {"path": list(extra.path), "level": extra.level, "why": extra.why, "ns": extra.ns}
                    for extra in one.extras
                ],
                "tree": tree_document(one.tree, one.median, one.tree),
            }
            for one in found.chosen
        ],
    }


def tree_document(node: Node | None, other: Node | None, root: Node) -> dict[str, Any]:
    """A span with its share of the query and its difference to the median query's, and its children."""
    some = node or other
    assert some is not None, "one of the two is there"
    return {
        "level": some.level,
        "name": some.name,
        "kind": some.kind,
        "start_ns": node.start - root.start if node else None,
        "duration_ns": node.duration if node else None,
        "own_ns": node.own_ns if node else None,
        "share": node.duration / root.duration if node and root.duration else None,
        "median_ns": other.duration if other else None,
        "difference_ns": (node.duration if node else 0) - (other.duration if other else 0),
        **{f"{kind}_ns": node.states.get(kind, 0) if node else None for kind in (PREEMPTED, BLOCKED)},
        "children": [tree_document(child, twin, root) for child, twin in aligned(node, other)],
    }
