"""Trees of single queries: their spans of all levels, nested, with the time that each had for itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlharness.explaining.slices import BLOCKED, PREEMPTED, Slices, without
from mlharness.trace.queries import BATCH, SHARED

_BATCH_NUMBER = re.compile(r'"batch":(\d+)')

_SUBTREES = """
    WITH RECURSIVE tree(id) AS (
        SELECT unnest(?)
        UNION ALL
        SELECT spans.id FROM spans JOIN tree ON spans.parent = tree.id
    )
    SELECT id, parent, level, name, kind, start_ns, duration_ns, thread, attributes
    FROM spans WHERE id IN (SELECT id FROM tree) ORDER BY start_ns, id
"""
_SHARED = """
    SELECT id, CAST(attributes ->> 'batch' AS BIGINT) FROM spans
    WHERE kind = 'batch' AND CAST(attributes ->> 'batch' AS BIGINT) IN (SELECT unnest(?))
"""


@dataclass
class Node:
    """One span in its tree; times in nanoseconds.

    ``own`` are the stretches in which no child ran; ``states`` says how much of them the span's thread spent preempted
    and blocked, where the system level tells.
    """

    id: int
    level: str
    name: str
    kind: str
    start: int
    duration: int
    thread: int
    attributes: str
    children: list[Node] = field(default_factory=list)
    own: list[tuple[int, int]] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.duration

    @property
    def own_ns(self) -> int:
        """The time in which no child ran."""
        return sum(end - start for start, end in self.own)

    @property
    def label(self) -> tuple[str, str]:
        """What makes two spans of two queries the same: level and name; a batch stays one when it is shared."""
        return self.level, BATCH if self.kind == SHARED else self.name

    def numbered(self) -> Iterator[tuple[tuple[str, str, int], Node]]:
        """The children, each with its label and how many of this label came before it."""
        seen: Counter[tuple[str, str]] = Counter()
        for child in self.children:
            yield (*child.label, seen[child.label]), child
            seen[child.label] += 1

    def walk(self) -> Iterator[Node]:
        """This span and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_trees(database: Any, roots: Sequence[int], slices: Slices) -> dict[int, Node]:
    """The trees below these spans, by the root's id.

    A batch of several queries stands under the first of them; the others' trees get its spans, too.
    """
    nodes = _nodes(database, roots)
    wanted = {number for node in nodes.values() if node.kind == SHARED for number in [_batch(node)] if number}
    if wanted:
        batches = dict(database.execute(_SHARED, [sorted(wanted)]).fetchall())
        grafts = {number: node for node in _nodes(database, list(batches)).values() if (number := batches.get(node.id))}
        for node in nodes.values():
            if node.kind == SHARED and (batch := grafts.get(_batch(node))):
                node.children = batch.children
    for root in roots:
        if root in nodes:
            for node in nodes[root].walk():
                _settle(node, slices)
    return {root: nodes[root] for root in roots if root in nodes}


def _nodes(database: Any, roots: Sequence[int]) -> dict[int, Node]:
    nodes: dict[int, Node] = {}
    parents: dict[int, int] = {}
    tops = set(roots)
    for number, parent, level, name, kind, start, duration, thread, attributes in database.execute(
        _SUBTREES, [list(roots)]
    ).fetchall():
        nodes[number] = Node(number, level, name, kind, start, duration, thread, attributes or "")
        parents[number] = parent
    for number, node in nodes.items():
        if number not in tops and parents[number] in nodes:
            nodes[parents[number]].children.append(node)
    return nodes


def _batch(node: Node) -> int:
    found = _BATCH_NUMBER.search(node.attributes)
    return int(found[1]) if found else 0


def _settle(node: Node, slices: Slices) -> None:
    inside = [(max(child.start, node.start), min(child.end, node.end)) for child in node.children]
    node.own = without((node.start, node.end), [pair for pair in inside if pair[1] > pair[0]])
    if not node.thread or not slices or not node.own:
        return
    starts, ends = zip(*node.own, strict=True)
    for kind in (PREEMPTED, BLOCKED):
        spent = int(slices.of(node.thread, kind).within(starts, ends).sum())
        if spent:
            node.states[kind] = spent
