"""An operator's attributes in a trace: its inputs, its outputs and its memory, as TensorFlow's profile tells them.

The profile tells shapes of inputs, and what an operator allocated. But one that works in place allocates nothing, and
small allocations are not told. Then the output is told where type and graph leave no doubt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]
Described = list[tuple[str, Shape]]
"""Dtype and shape of each of several tensors."""
Graph = Mapping[str, tuple[str, tuple[int | None, ...]]]
"""By the name of an operation with one output its dtype and shape; None for a size that is free."""

ELEMENTWISE = frozenset({
    "Abs", "Add", "AddN", "AddV2", "BiasAdd", "Div", "Elu", "Erf", "Exp", "Identity", "LeakyRelu", "Log", "LogSoftmax",
    "Maximum", "Minimum", "Mul", "Neg", "Pow", "RealDiv", "Relu", "Relu6", "Rsqrt", "Selu", "Sigmoid", "Softmax",
    "Softplus", "Sqrt", "Square", "SquaredDifference", "Sub", "Tanh", "_MklSoftmax",
})  # fmt: skip
"""Types of operators whose one output has the dtype of the first input, and the shape to which the inputs stretch."""
BATCHED = frozenset({
    "AvgPool", "AvgPool3D", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul", "MaxPool", "MaxPool3D",
})  # fmt: skip
"""Types whose one output has as many rows as the first input; they may be fused with what follows."""
_VARIANT = re.compile(r"\A_(?:Mkl)?(?:Native)?(?:Fused)?")
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
        graph: what the operations of the graph give.
        dtype_of: the name of a dtype, by TensorFlow's number or its name in profiles.
    """

    def __init__(self, graph: Graph, dtype_of: Callable[[Any], str]) -> None:
        self._graph, self._dtype_of = graph, dtype_of
        self._made: dict[tuple[str, str, str, tuple[Allocation, ...]], str] = {}
        self._places: dict[str, int] = {}

    def attributes(self, name: str, kind: str, inputs: str, allocations: Sequence[Allocation]) -> str:
        """The JSON for an operator.

        Args:
            name: of the operator.
            kind: its type.
            inputs: as in the profile: ``(float[1,2];int32[4])``, or nothing when they are not told.
            allocations: what it allocated.
        """
        key = (name, kind, inputs, tuple(allocations))
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = json.dumps(self._document(*key), separators=(",", ":"))
        return made

    def _document(self, name: str, kind: str, inputs: str, allocations: tuple[Allocation, ...]) -> dict[str, Any]:
        place = self._places.setdefault(name, len(self._places))
        given = [(self._dtype_of(dtype), _sizes(sizes)) for dtype, sizes in _TENSOR.findall(inputs)]
        taken = [(self._dtype_of(one.dtype), _sizes(one.shape)) for one in allocations if one.region == "output"]
        outputs = taken or self._without_allocation(name, kind, given)
        document: dict[str, Any] = {"index": place}
        if inputs:
            document["inputs"] = given
        if outputs:
            document["outputs"] = outputs
        document["memory_bytes"] = sum(one.size for one in allocations)
        return document

    def _without_allocation(self, name: str, kind: str, given: Described) -> Described:
        """The output, where it is certain."""
        if not given:
            return []
        if kind in ELEMENTWISE:
            return in_place(given)
        dtype, shape = self._graph.get(name, ("", ()))
        if _VARIANT.sub("", kind) not in BATCHED or None in shape[1:] or not shape or not given[0][1]:
            return []
        return [(dtype, (given[0][1][0], *(size for size in shape[1:] if size is not None)))]


def in_place(given: Described) -> Described:
    """The output of an elementwise operator with these inputs."""
    try:
        shape = np.broadcast_shapes(*(shape for _, shape in given))
    except ValueError:  # as BiasAdd with channels first
        shape = given[0][1]
    return [(given[0][0], tuple(shape))]


def describe_graph(graph: Any) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    """What the operations of a graph of TensorFlow give, of those with one output whose rank is known."""
    single = {operation.name: operation.outputs[0] for operation in graph.get_operations()
              if len(operation.outputs) == 1}  # fmt: skip
    return {
        name: (tensor.dtype.name, tuple(tensor.shape.as_list()))
        for name, tensor in single.items()
        if tensor.shape.rank is not None
    }


def _sizes(text: str) -> Shape:
    return tuple(int(size) for size in text.strip("[]").split(",") if size)
