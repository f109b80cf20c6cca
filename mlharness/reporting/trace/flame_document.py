"""The flame graph as the page's script draws it, and as a table for those who do not see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from mlharness.reporting.page import Cell, Column, make_table
from mlharness.reporting.trace.facts import cut
from mlharness.reporting.trace.flame import Node
from mlharness.reporting.trace.hues import OTHER, Hues
from mlharness.reporting.trace.windows import Units
from mlharness.trace.levels import LEVELS

MOST_PATHS = 100
"""Rows of the table."""


def flame_document(roots: Sequence[Node], hues: Hues, units: Units | None) -> dict[str, Any]:
    """The nodes in columns, outer before inner; times in nanoseconds."""
    nodes = [(depth, node, hue) for root in roots for depth, node, hue in _coloured(root, hues)]
    return {
        "levels": LEVELS,
        "units": len(units) if units else 0,
        "word": units.word if units else "",
        "depth": [depth for depth, _, _ in nodes],
        "name": [label(node) for _, node, _ in nodes],
        "kind": [cut(node.kind, 60) for _, node, _ in nodes],
        "level": [node.level for _, node, _ in nodes],
        "count": [node.count for _, node, _ in nodes],
        "total": [node.total for _, node, _ in nodes],
        "own": [node.own for _, node, _ in nodes],
        "width": [node.width for _, node, _ in nodes],
        "hue": [hue for _, _, hue in nodes],
    }


def label(node: Node) -> str:
    """What a node is called."""
    return f"{node.merged} more" if node.merged else cut(node.name, 120) or "no name"


def _coloured(
    node: Node, hues: Hues, depth: int = 0, level: int = -1, above: int = OTHER
) -> Iterator[tuple[int, Node, int]]:
    """Each node with its depth and colour: what stands inside a layer has the layer's, unless its type has its own."""
    hue = OTHER if node.merged else hues.of(node.level, node.kind)
    if hue == OTHER and level == node.level and not node.merged:
        hue = above
    yield depth, node, hue
    for child in node.children:
        yield from _coloured(child, hues, depth + 1, node.level, hue)


def paths_table(roots: Sequence[Node]) -> Markup:
    """The ways on which the most time was spent in nothing further in."""
    found = [way for root in roots for way in _ways(root)]
    whole = sum(root.width for root in roots) or 1
    largest = sorted(found, key=lambda one: -one[1].own)[:MOST_PATHS]
    columns = [
        Column("Way"),
        Column("Level"),
        Column("Own (ms)", figures=True, told="in nothing further in"),
        Column("Own share", figures=True),
        Column("Total (ms)", figures=True),
        Column("Spans", figures=True),
    ]
    rows = [
        [Cell(cut(way, 400), kind="name"), Cell(LEVELS[node.level]), Cell(f"{node.own / 1e6:,.3f}", node.own),
         Cell(f"{100 * node.own / whole:.1f} %", node.own), Cell(f"{node.total / 1e6:,.3f}", node.total),
         Cell(f"{node.count:,}", node.count)]
        for way, node in largest
    ]  # fmt: skip
    return make_table(columns, rows, f"The {len(largest):,} of {len(found):,} ways with the most own time", "paths")


def _ways(node: Node, above: str = "") -> Iterator[tuple[str, Node]]:
    way = f"{above} › {label(node)}" if above else label(node)
    yield way, node
    for child in node.children:
        yield from _ways(child, way)
