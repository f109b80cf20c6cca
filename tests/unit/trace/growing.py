"""Trees that are grown over several threads and levels, and flattened; for the property test of trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlharness.trace.levels import LEVELS
from mlharness.trace.spans import NO_PARENT, Spans

Step = tuple[str, int, int, int]
"""What happens, on which thread (1 to 3), at which level at least, and to which of the earlier spans."""
ACTIONS = ("open", "close", "guest", "leave", "named", "launched", "alone")


@dataclass
class Node:
    """A span that knows its parent: ``expected`` is its place among the nodes, None for none."""

    place: int
    how: str
    level: int
    thread: int
    start: int
    end: int = 0
    expected: int | None = None
    given: int | None = None
    """The parent that the source names, or the span that launched it."""


@dataclass
class Grown:
    """A forest; no two spans begin or end at the same time."""

    nodes: list[Node] = field(default_factory=list)
    time: int = 0
    stacks: dict[int, list[Node]] = field(default_factory=dict)
    guests: list[Node] = field(default_factory=list)

    def add(self, how: str, level: int, thread: int, given: int | None = None) -> Node:
        """A new node, which begins now."""
        self.time += 1
        node = Node(len(self.nodes), how, min(level, len(LEVELS) - 1), thread, self.time, given=given)
        self.nodes.append(node)
        return node

    def end(self, node: Node) -> None:
        """The node ends now."""
        self.time += 1
        node.end = self.time

    def step(self, step: Step) -> None:
        """Do one of :data:`ACTIONS`."""
        action, thread, level, pick = step
        stack = self.stacks.setdefault(thread, [])
        if action == "open":
            top = stack[-1] if stack else None
            node = self.add("enclosed", max(level, top.level) if top else level, thread)
            node.expected = top.place if top else None
            stack.append(node)
        elif action == "close" and stack:
            self.end(stack.pop())
        elif action == "guest":
            self.guests.append(self.add("guest", max(level, 1), 0))
        elif action == "leave" and self.guests:
            self.end(self.guests.pop(pick % len(self.guests)))
        elif action in ("named", "launched") and self.nodes:
            given = pick % len(self.nodes)
            node = self.add(action, level, 100 + len(self.nodes), given)
            node.expected = given
            self.end(node)
        elif action == "alone":
            self.end(self.add("alone", level, thread))

    def finish(self) -> Grown:
        """End what is open, and find the parents of what nothing encloses on its own thread."""
        for node in self.guests[::2]:
            self.end(node)
        for stack in self.stacks.values():
            while stack:
                self.end(stack.pop())
        for node in self.guests[1::2]:
            self.end(node)
        for node in self.nodes:
            orphan = node.how == "guest" or (node.how == "enclosed" and node.expected is None and node.level > 0)
            if orphan:
                self._elsewhere(node)
        return self

    def _elsewhere(self, orphan: Node) -> None:
        """By looking at every span."""
        innermost: dict[int, Node] = {}
        for node in self.nodes:
            if node.how == "alone" or node.thread in (0, orphan.thread) or node.level >= orphan.level:
                continue
            encloses = node.start < orphan.start and node.end > orphan.end
            if encloses and (node.thread not in innermost or innermost[node.thread].start < node.start):
                innermost[node.thread] = node
        deepest = max((node.level for node in innermost.values()), default=-1)
        chosen = [node for node in innermost.values() if node.level == deepest]
        if len(chosen) == 1:
            orphan.expected = chosen[0].place
        elif chosen:
            orphan.how = "ambiguous"

    def flatten(self, order: Sequence[int]) -> Spans:
        """All nodes in another order, as a source gives them; names are the nodes' places."""
        spans = Spans("grown")
        for place in order:
            node = self.nodes[place]
            parent = node.given + 1 if node.how == "named" and node.given is not None else 0
            cause = node.given + 1 if node.how == "launched" and node.given is not None else 0
            spans.add(
                node.level, str(place), node.start, node.end - node.start, thread=node.thread, key=place + 1,
                parent=NO_PARENT if node.how == "alone" else parent, correlation=place + 1, caused_by=cause,
            )  # fmt: skip
        return spans

    def known(self, node: Node) -> str:
        """The parentage that is expected."""
        if node.how in ("named", "launched", "alone", "ambiguous"):
            return node.how
        return "none" if node.expected is None else "enclosed"


def grow(steps: Sequence[Step]) -> Grown:
    """The forest that these steps make."""
    grown = Grown()
    for step in steps:
        grown.step(step)
    return grown.finish()
