"""Colours: a number for each kind of span, so that one operator type has one colour in all that is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mlharness.explaining.slices import BLOCKED, PREEMPTED, RUNNING
from mlharness.reporting.trace.flame import Node
from mlharness.trace.levels import APPLICATION, FRAMEWORK, LIBRARY, MODEL, SYSTEM

OTHER, QUERY, WAIT, HARNESS, POSTPROCESS, PREDICT, RAN, TAKEN, WAITED = range(9)
KINDS = 9
"""From here on: types of operators and primitives, the one with the most time first."""
MOST_KINDS = 8
"""As many as a page has colours for; other types are drawn in that of ``OTHER``."""

_APPLICATION = {"query": QUERY, "schedule": WAIT, "queue": WAIT, "shared batch": WAIT, "batch": HARNESS,
                "gather": HARNESS, "complete": HARNESS, "postprocess": POSTPROCESS}  # fmt: skip
_STATES = {RUNNING: RAN, PREEMPTED: TAKEN, BLOCKED: WAITED}


@dataclass(frozen=True)
class Hues:
    """``types`` are the operator types that have a colour, each with its level and its time over all queries."""

    types: Sequence[tuple[str, int, int]]

    def of(self, level: int, kind: str) -> int:
        """The number of a colour."""
        if level == APPLICATION:
            return _APPLICATION.get(kind, OTHER)
        if level == MODEL or (level == FRAMEWORK and kind == "call"):
            return PREDICT
        if level == SYSTEM and kind in _STATES:
            return _STATES[kind]
        return self._places.get((kind, level), OTHER)

    @cached_property
    def _places(self) -> Mapping[tuple[str, int], int]:
        return {(kind, level): KINDS + place for place, (kind, level, _) in enumerate(self.types)}


def hues_of(roots: Sequence[Node]) -> Hues:
    """The colours of a trace, by the time of each type of layer, of primitive and of kernel."""
    times: Counter[tuple[str, int]] = Counter()
    for root in roots:
        for kind, level, ns in _outermost(root, set()):
            times[kind, level] += ns
    ranked = sorted(times.items(), key=lambda one: (-one[1], one[0]))
    return Hues([(kind, level, ns) for (kind, level), ns in ranked[:MOST_KINDS]])


def _outermost(node: Node, above: set[int]) -> Iterator[tuple[str, int, int]]:
    """Layers, primitives and kernels: spans of their level that stand under no other of it."""
    if node.level in (FRAMEWORK, LIBRARY, SYSTEM) and node.level not in above and node.kind and node.kind != "call":
        yield node.kind, node.level, node.total
        above = above | {node.level}
    for child in node.children:
        yield from _outermost(child, above)
