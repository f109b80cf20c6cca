"""The flame graph: the time of all queries by the way from the query down to the primitive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlharness.trace.levels import LEVELS

LEAST = 1 / 20_000
"""Nodes beside each other that each have a smaller share of all are drawn as one: on a screen they have no width."""
MOST = 8_000
"""Nodes of a page: the share above is doubled until there are no more."""
DEEPEST = 64
"""Steps from a query down. Frameworks nest no deeper; a trace that seems to is cut off there."""

_LABELS = """
    CREATE TABLE labels AS
    SELECT row_number() OVER (ORDER BY level, name, kind) AS label, level, name, kind
    FROM spans WHERE query >= 0 AND parentage <> 'alone' GROUP BY level, name, kind
"""
_STACKED = """
    CREATE TABLE stacked AS SELECT id, parent, label, start_ns, duration_ns
    FROM spans JOIN labels USING (level, name, kind) WHERE query >= 0 AND parentage <> 'alone'
"""
_NODES = f"""
    WITH RECURSIVE tree AS (
        SELECT id, hash(label) AS node, 0::UBIGINT AS above, label, 0 AS depth, start_ns, duration_ns,
               0::BIGINT AS after
        FROM stacked top WHERE NOT EXISTS (SELECT 1 FROM stacked WHERE stacked.id = top.parent)
        UNION ALL
        SELECT inner_.id, hash(tree.node, inner_.label), tree.node, inner_.label, tree.depth + 1, inner_.start_ns,
               inner_.duration_ns, inner_.start_ns - tree.start_ns
        FROM tree JOIN stacked inner_ ON inner_.parent = tree.id WHERE tree.depth < {DEEPEST}
    ),
    nodes AS (
        SELECT node, above, label, min(depth) AS depth, count(*) AS count, CAST(sum(duration_ns) AS BIGINT) AS total,
               avg(after) AS after
        FROM tree GROUP BY node, above, label
    )
    SELECT node, above, list_position({list(LEVELS)}, level) - 1, name, kind, count, total
    FROM nodes JOIN labels USING (label) ORDER BY depth, after, node
"""  # noqa: S608  # names and numbers of this package


@dataclass(frozen=True)
class Node:
    """All spans that have one way down: so many, and the sum of their durations in nanoseconds.

    ``merged``: so many ways of little time, drawn as one.
    """

    level: int
    name: str
    kind: str
    count: int
    total: int
    children: Sequence[Node] = field(default_factory=tuple)
    merged: int = 0

    @property
    def inner(self) -> int:
        """The sum of its children: more than its own where they ran at the same time, as on several threads."""
        return sum(child.width for child in self.children)

    @property
    def width(self) -> int:
        """What it is drawn with: so much that its children have room."""
        return max(self.total, self.inner)

    @property
    def own(self) -> int:
        """What of its time stands in no child."""
        return max(0, self.total - sum(child.total for child in self.children))

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """It and all below it, each with its depth; outer before inner, in the order of execution."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def read_flame(database: Any) -> list[Node]:
    """The outermost nodes of a trace, its queries as a rule, with no more below them than a page can hold.

    Spans that belong to no query, such as those of loading and warming up, are left out, and so are timelines.
    """
    for statement in (_LABELS, _STACKED):
        database.execute(statement)
    return fitting(_trees(database.execute(_NODES).fetchall()))


def _trees(rows: Sequence[tuple[Any, ...]]) -> list[Node]:
    """Rows are in order of depth; a node's children in order of execution."""
    below: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        below.setdefault(row[1], []).append(row)

    def made(row: tuple[Any, ...]) -> Node:
        node, _, level, name, kind, count, total = row
        return Node(level, name, kind, count, total, tuple(made(child) for child in below.get(node, ())))

    return [made(row) for row in below.get(0, ())]


def fitting(roots: Sequence[Node], most: int = MOST) -> list[Node]:
    """The same with small nodes brought together, until there are no more than so many, if that can be."""
    whole = sum(root.width for root in roots)
    least = LEAST
    while True:
        found = [_pruned(root, least * whole) for root in roots]
        if least >= 1 or sum(1 for root in found for _ in root.walk()) <= most:
            return found
        least *= 2


def _pruned(node: Node, least: float) -> Node:
    large = [child for child in node.children if child.width >= least]
    small = [child for child in node.children if child.width < least]
    if len(small) > 1:
        merged = Node(small[0].level, "", "", sum(child.count for child in small), sum(child.total for child in small),
                      merged=len(small))  # fmt: skip
        return replace(node, children=(*(_pruned(child, least) for child in large), merged))
    return replace(node, children=tuple(_pruned(child, least) for child in node.children))
