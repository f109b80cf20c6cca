"""An operator's attributes in a trace: what TensorFlow's profile tells of its inputs and memory, and the graph besides.

The profile tells shapes of inputs, and what an operator allocated. An operator that works in place allocates nothing:
then its output is known where the graph says that it has the shape of an input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Shape = tuple[int | None, ...]
Described = list[tuple[str, Shape]]
"""Dtype and shape of each of an operator's outputs; None for a size that is free."""

_TENSOR = re.compile(r"([a-zA-Z]\w*)\[([\d,]*)\]")


class Allocation(NamedTuple):
    """Memory that an operator took: for an output or for itself, TensorFlow's number of its dtype, shape, bytes."""

    region: str
    dtype: int
    shape: str
    size: int


class OperatorFacts:
    """Makes the JSON of an operator's attributes, once for all operators that are alike.

    Args:
        graph: what the operations of the graph give, see :func:`describe_graph`.
        dtype_of: the name of a dtype, by TensorFlow's number or its name in profiles.
    """

    def __init__(self, graph: Mapping[str, Described], dtype_of: Callable[[Any], str]) -> None:
        self._graph, self._dtype_of = graph, dtype_of
        self._made: dict[tuple[str, str, tuple[Allocation, ...]], str] = {}
        self._places: dict[str, int] = {}

    def attributes(self, name: str, inputs: str, allocations: Sequence[Allocation]) -> str:
        """The JSON. ``inputs`` are as in the profile: ``(float[1,2];int32[4])``, or nothing when they are not told."""
        key = (name, inputs, tuple(allocations))
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = json.dumps(self._document(*key), separators=(",", ":"))
        return made

    def _document(self, name: str, inputs: str, allocations: tuple[Allocation, ...]) -> dict[str, Any]:
        place = self._places.setdefault(name, len(self._places))
        given = [(self._dtype_of(dtype), _sizes(sizes)) for dtype, sizes in _TENSOR.findall(inputs)]
        taken = [(self._dtype_of(one.dtype), _sizes(one.shape)) for one in allocations if one.region == "output"]
        outputs = taken or self._in_place(name, given)
        document: dict[str, Any] = {"index": place}
        if inputs:
            document["inputs"] = given
        if outputs:
            document["outputs"] = outputs
        document["memory_bytes"] = sum(one.size for one in allocations)
        return document

    def _in_place(self, name: str, given: Described) -> Described:
        """The graph's output, where an input has its shape, sizes that are free in the graph aside."""
        outputs = self._graph.get(name, [])
        if len(outputs) != 1:
            return []
        dtype, wanted = outputs[0]
        return [(dtype, shape) for _, shape in given if _agree(wanted, shape)][:1]


def describe_graph(graph: Any) -> dict[str, Described]:
    """Dtype and shape of every operation's outputs in a graph of TensorFlow, by name, where their rank is known."""
    return {
        operation.name: [(tensor.dtype.name, tuple(tensor.shape.as_list())) for tensor in operation.outputs]
        for operation in graph.get_operations()
        if all(tensor.shape.rank is not None for tensor in operation.outputs)
    }


def _sizes(text: str) -> Shape:
    return tuple(int(size) for size in text.strip("[]").split(",") if size)


def _agree(wanted: Shape, shape: Shape) -> bool:
    return len(wanted) == len(shape) and all(size in (None, found) for size, found in zip(wanted, shape, strict=True))
