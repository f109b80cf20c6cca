"""Tables of spans for tests."""

from __future__ import annotations

from mlharness.trace.parentage import PARENTAGE
from mlharness.trace.spans import Spans, SpanTable, concatenate
from mlharness.trace.tree import with_parents


def one_tree(*spans: Spans, tolerance_ns: int = 0) -> SpanTable:
    """The tree of all spans, which are on the monotonic clock."""
    return with_parents(concatenate([part.table() for part in spans]), tolerance_ns)


def parents(table: SpanTable) -> dict[str, str]:
    """For each span, by its name, its parent's name, and ``-`` for none."""
    return {
        table.text("name", row): table.text("name", int(parent) - 1) if parent else "-"
        for row, parent in enumerate(table.parent)
    }


def parentages(table: SpanTable) -> dict[str, str]:
    """For each span, by its name, how its parent is known."""
    return {table.text("name", row): PARENTAGE[int(known)] for row, known in enumerate(table.parentage)}
