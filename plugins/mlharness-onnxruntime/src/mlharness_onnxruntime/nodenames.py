"""What a model's file calls a node that ONNX Runtime's optimiser has renamed or fused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mlharness_onnxruntime.graph import Node, read_graph

_MADE_UNIQUE = re.compile(r"_token_\d+$")
_AFFIXES = re.compile(r"^fused |_nchwc$|/MatMulAddFusion$|/MatMul_?BN_?fusion$")
_LONGEST_FUSION = 6
"""So many nodes are followed from what a fused node gives to the operator that it is named for."""


class NodeNames:
    """The names in a file, found by those in the optimised graph.

    The optimiser names a node by the one that it replaces, or by the tensor that it gives, with additions of its own;
    nodes that it leaves alone keep their number. Two nodes never get one name: the second keeps its own.

    Args:
        nodes: of the file, in its order. One without a name is called by operator and number, as in ONNX Runtime.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        # Constants are no nodes to ONNX Runtime, and are not counted.
        self._nodes = [node for node in nodes if node.op != "Constant"]
        self._titles = {id(node): node.name or f"{node.op}_{number}" for number, node in enumerate(self._nodes)}
        self._named = {self._titles[id(node)]: node for node in self._nodes}
        self._giving = {output: node for node in self._nodes for output in node.outputs}
        self._found: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, name: str, op: str, number: int) -> str:
        """The file's name for a node of the optimised graph, or else its own.

        Args:
            name: in the optimised graph.
            op: its operator.
            number: its number, which is its place in the file if it was there.
        """
        found = self._found.get(name)
        if found is None:
            node = self._find(name, op, number)
            found = self._titles[id(node)] if node else name
            found = self._found[name] = name if found in self._taken else found
            self._taken.add(found)
        return found

    @property
    def unknown(self) -> int:
        """How many of the names asked for are not of the file; none where that is not known."""
        return sum(found not in self._named for found in self._found.values()) if self._nodes else 0

    def _find(self, name: str, op: str, number: int) -> Node | None:
        plain = _AFFIXES.sub("", _MADE_UNIQUE.sub("", name))
        for known in (name, plain):
            if known in self._named:
                return self._named[known]
        if plain in self._giving:
            return self._fused(self._giving[plain], op)
        if number < len(self._nodes) and self._nodes[number].op == op:
            return self._nodes[number]
        return None

    def _fused(self, last: Node, op: str) -> Node:
        """Of the nodes up to the last one of a fusion, that of the operator; the last where there is none."""
        node: Node | None = last
        for _ in range(_LONGEST_FUSION):
            if node is None:
                break
            if op.endswith(node.op):  # FusedConv, QLinearConv
                return node
            node = next((self._giving[name] for name in node.inputs if name in self._giving), None)
        return last


def read_names(model: Path) -> NodeNames:
    """The names in a file; none where it is no ONNX graph (ONNX Runtime has a format of its own)."""
    try:
        return NodeNames(read_graph(model).nodes)
    except (OSError, ValueError):
        return NodeNames(())
