"""Operators of TensorFlow's profile, each under the call that caused it.

A function is called on one thread, and its operators run on another: where the first hands over, TensorFlow notes a
number, which the second notes again. So an operator's parent is known, and not guessed from the time, whatever runs
beside it. What TensorFlow notes of its own machinery is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any

from mlharness.trace.levels import FRAMEWORK, SYSTEM
from mlharness.trace.spans import Spans
from mlharness_tensorflow.cuda_planes import CORRELATION
from mlharness_tensorflow.operator_facts import Allocation, OperatorFacts
from mlharness_tensorflow.planes import Plane

MOST_OPERATORS = 100_000
"""Operators that are read from one profile, in the order of time; further ones are counted. So many take 1.5 s."""

OPERATOR, COMPILED, INPUT, CALL, ALLOCATION, LAUNCH, GIVES, TAKES = range(8)
"""The roles of events: an operator; one that XLA compiled; an array that becomes a tensor; a function or operator that
Python calls; memory that one takes; a call of CUDA; what hands work to another thread, and what takes it there."""

_OPERATOR = re.compile(r"(?P<name>[^:]*):(?P<type>[A-Za-z_][\w>.]*)\Z")
_FUNCTION = re.compile(r"__(?:inference|forward)_(?P<name>.+?)_\d+\Z")
_CALLS, _INPUTS, _ALLOCATIONS, _CUDA = "EagerExecute", "tf.constant", "MemoryAllocation", "cu"
_GIVEN, _TAKEN = "_p", "_c"
"""The facts that hold the number of work, where it is handed over and where it is taken."""
_ALLOCATED = ("region_type", "data_type", "shape", "allocation_bytes")
_COMPILED = "hlo_op"
_NUMBER = re.compile(r"\.\d+\Z")
_DEEPEST = 64
"""So many times work is handed on at most."""

Item = tuple[int, int, int, Any]
"""What is used of an event: its start and, negative, its duration (picoseconds), its role, and itself."""


@dataclass
class Node:
    """A span in the making, or a place where work was taken over, whose spans stand under those of ``work``."""

    key: int
    parent: Node | None
    start_ns: int = 0
    duration_ns: int = 0
    level: int = FRAMEWORK
    name: str = ""
    kind: str = ""
    work: int = 0
    inputs: str = ""
    allocations: list[Allocation] = field(default_factory=list)
    correlation: int = 0


class HostPlane:
    """Reads the plane of the CPU.

    Args:
        plane: it.
        began_ns: when the profile began, wall clock.
        threads: the operating system's ids of threads, by the hashes that name the lines; others become 0.
        facts: what makes an operator's attributes.
        launches: whether calls of CUDA are wanted.
    """

    def __init__(
        self, plane: Plane, began_ns: int, threads: Mapping[int, int], facts: OperatorFacts, launches: bool = False
    ) -> None:
        self._plane, self._began, self._threads, self._facts = plane, began_ns, threads, facts
        self._roles = roles_of(plane, launches)
        self._numbers = {name: number for number, name in plane.facts.items()}
        self._allocated = {number: name for number, name in plane.facts.items() if name in _ALLOCATED}
        self._givers: dict[int, Node | None] = {}
        self._keys = 0

    def add_to(self, spans: Spans, most: int = MOST_OPERATORS) -> None:
        """Add all that was found; of more than ``most`` operators the later ones are counted as dropped."""
        lines = [(line, self._items(line)) for line in self._plane.message.lines]
        starts = [item[0] for _, items in lines for item in items if item[2] in (OPERATOR, COMPILED)]
        last = nsmallest(most, starts)[-1] if len(starts) > most else 1 << 62
        spans.dropped += sum(start > last for start in starts)
        found = []
        for line, items in lines:
            thread = self._threads.get(line.id % (1 << 64), 0)
            nodes = self._read_line([item for item in items if item[0] <= last], self._began + line.timestamp_ns)
            found += [(node, thread) for node in nodes]
        for node, thread in sorted(found, key=lambda one: one[0].start_ns):
            self._add(spans, node, thread)

    def _items(self, line: Any) -> list[Item]:
        roles = self._roles
        found = [(event.offset_ps, -event.duration_ps, role, event)
                 for event in line.events if (role := roles.get(event.metadata_id)) is not None]  # fmt: skip
        found.sort(key=lambda item: item[:2])
        return found

    def _read_line(self, items: Sequence[Item], base_ns: int) -> list[Node]:
        """The spans of one thread, whose events lie within each other or apart."""
        found: list[Node] = []
        stack: list[tuple[int, Node]] = []
        for start, negative, role, event in items:
            while stack and stack[-1][0] < start - negative:
                stack.pop()
            above = stack[-1][1] if stack else None
            if role == ALLOCATION:
                self._allocate(event, above)
            elif role == GIVES:
                self._givers[self._fact(event, _GIVEN)] = above
            else:
                node = self._node(role, event, above)
                node.start_ns, node.duration_ns = base_ns + start // 1000, -negative // 1000
                stack.append((start - negative, node))
                if role != TAKES:
                    found.append(node)
        return found

    def _node(self, role: int, event: Any, above: Node | None) -> Node:
        self._keys += 1
        node, text = Node(self._keys, above), self._plane.names[event.metadata_id]
        if role == OPERATOR:
            match = _OPERATOR.match(text)
            assert match is not None, "its role is by its name"
            node.name, node.kind = match["name"] or match["type"], match["type"]
            node.inputs = self._fact(event, "shape") or ""
        elif role in (COMPILED, INPUT):
            node.name, node.kind = text, _NUMBER.sub("", text)
        elif role == CALL:
            node.name, node.kind = self._called(event)
        elif role == LAUNCH:
            node.level, node.name, node.kind = SYSTEM, text, "launch"
            node.correlation = self._fact(event, CORRELATION) or 0
        else:
            node.work = self._fact(event, _TAKEN)
        return node

    def _called(self, event: Any) -> tuple[str, str]:
        """Name and kind of what Python calls: a function, whose number changes, or an operator by itself."""
        name = str(self._fact(event, "eager_op") or _CALLS)
        function = _FUNCTION.match(name)
        if function or self._fact(event, "is_func"):
            return function["name"] if function else name, "call"
        return name, name

    def _allocate(self, event: Any, above: Node | None) -> None:
        """Note the memory with the operator that took it; some is taken outside of any."""
        if above is None or above.work or above.kind == "call":
            return
        wanted, value = self._allocated, self._plane.value
        facts = {wanted[stat.metadata_id]: value(stat) for stat in event.stats if stat.metadata_id in wanted}
        above.allocations.append(
            Allocation(
                facts.get("region_type", ""),
                facts.get("data_type", 0),
                facts.get("shape", ""),
                facts.get("allocation_bytes", 0),
            )
        )

    def _fact(self, event: Any, name: str) -> Any:
        number = self._numbers.get(name)
        for stat in event.stats:
            if stat.metadata_id == number:
                return self._plane.value(stat)
        return None

    def _add(self, spans: Spans, node: Node, thread: int) -> None:
        parent = self._parent(node)
        about = ""
        if node.level == FRAMEWORK and node.kind != "call":
            about = self._facts.attributes(node.name, node.kind, node.inputs, node.allocations)
        spans.add(
            node.level, node.name, node.start_ns, node.duration_ns, kind=node.kind, thread=thread, key=node.key,
            parent=parent.key if parent else 0, correlation=node.correlation, attributes=about,
        )  # fmt: skip

    def _parent(self, node: Node) -> Node | None:
        """The span above, on whichever thread it is."""
        above = node.parent
        for _ in range(_DEEPEST):
            if above is None or not above.work:
                break
            above = self._givers.get(above.work)
        return above


def roles_of(plane: Plane, launches: bool) -> dict[int, int]:
    """The role of each kind of event by its number; what has none is not read."""
    found = {}
    numbers = {name: number for number, name in plane.facts.items()}
    for number, event in _examples(plane).items():
        name, facts = plane.names.get(number, ""), {stat.metadata_id for stat in event.stats}
        if numbers.get(_COMPILED) in facts:
            found[number] = COMPILED
        elif numbers.get(_TAKEN) in facts:
            found[number] = TAKES
        elif numbers.get(_GIVEN) in facts:
            found[number] = GIVES
        elif name == _CALLS:
            found[number] = CALL
        elif name == _INPUTS:
            found[number] = INPUT
        elif name == _ALLOCATIONS:
            found[number] = ALLOCATION
        elif launches and name.startswith(_CUDA) and numbers.get(CORRELATION) in facts:
            found[number] = LAUNCH
        elif is_operator(name):
            found[number] = OPERATOR
    return found


def is_operator(name: str) -> bool:
    """True for ``node:Type``; not for a function that XLA compiled, which is called like that as a whole."""
    found = _OPERATOR.match(name)
    return found is not None and not _FUNCTION.match(found["type"])


def _examples(plane: Plane) -> dict[int, Any]:
    """One event of each kind."""
    found: dict[int, Any] = {}
    for line in plane.message.lines:
        for event in line.events:
            found.setdefault(event.metadata_id, event)
            if len(found) == len(plane.names):
                return found
    return found
