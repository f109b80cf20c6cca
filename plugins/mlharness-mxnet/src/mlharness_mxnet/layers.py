"""The operators of a bound network in the order in which they run, with what MXNet's profiler does not tell of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness_mxnet.graph import Node, parse_graph
from mlharness_mxnet.network import Network, Shape

Tensor = tuple[str, Shape]
"""Dtype and shape."""
Entry = tuple[str, int]
"""The name of a node, and the number of one of its outputs."""

_MOST_OUTPUTS = 8


@dataclass(frozen=True)
class Layer:
    """An operator of the graph that runs, after fusing: its type, its name, and its attributes in a trace as JSON."""

    type: str
    name: str
    attributes: str


@dataclass(frozen=True)
class Graph:
    """A graph that runs: its nodes, what they give as far as MXNet infers it, and what training learnt.

    ``fused`` has, by the name of each fused operator, the names of those that it stands for.
    """

    nodes: Sequence[Node]
    tensors: Mapping[Entry, Tensor]
    learnt: frozenset[str]
    fused: Mapping[str, Sequence[str]]

    def layers(self) -> list[Layer]:
        """Every operator, in the order in which an executor runs them."""
        operators = [node for node in self.nodes if node.op != "null"]
        return [self._layer(place, node) for place, node in enumerate(operators)]

    def _layer(self, place: int, node: Node) -> Layer:
        attributes: dict[str, Any] = {"index": place}
        if node.name in self.fused:
            attributes["fuses"] = self.fused[node.name]
        given = [self.nodes[number].name for number in node.inputs]
        outputs = self._known((node.name, number) for number in range(_MOST_OUTPUTS))
        if outputs:
            attributes |= {
                "inputs": self._known((name, 0) for name in given),
                "outputs": outputs,
                "parameter_bytes": count_bytes(self._known((name, 0) for name in given if name in self.learnt)),
                "output_bytes": count_bytes(outputs),
            }
        return Layer(node.op, node.name, json.dumps(attributes, separators=(",", ":")))

    def _known(self, entries: Iterable[Entry]) -> list[Tensor]:
        return [self.tensors[entry] for entry in entries if entry in self.tensors]


def layers_of(executor: Any, network: Network, inputs: Mapping[str, Tensor]) -> list[Layer]:
    """The operators of an executor, in the order in which it runs them.

    Args:
        executor: what runs the network; its graph may be fused.
        network: with the parameters.
        inputs: dtype and shape of what is fed, by name.
    """
    symbol = executor.get_optimized_symbol()
    text = symbol.tojson()
    learnt = frozenset({*network.arguments, *network.auxiliary})
    tensors = infer_tensors(symbol, network, inputs)
    return Graph(parse_graph(text, network.origin), tensors, learnt, fused_names(text)).layers()


def fused_names(text: str) -> dict[str, list[str]]:
    """The names of the operators that each fused one of a symbol's JSON stands for, by its name."""
    fused = [node for node in json.loads(text)["nodes"] if node.get("subgraphs")]
    return {
        node["name"]: [part["name"] for graph in node["subgraphs"] for part in graph["nodes"] if part["op"] != "null"]
        for node in fused
    }


def infer_tensors(symbol: Any, network: Network, inputs: Mapping[str, Tensor]) -> dict[Entry, Tensor]:
    """What every node of a graph gives; nothing where MXNet cannot infer it, as for some fused operators."""
    variables = {*symbol.list_arguments(), *symbol.list_auxiliary_states()}
    arrays = {**network.arguments, **network.auxiliary}
    known: dict[str, tuple[Any, Shape]] = {
        name: (array.dtype, array.shape) for name, array in arrays.items() if name in variables
    }
    known |= inputs
    internals = symbol.get_internals()
    try:
        _, shapes, _ = internals.infer_shape(**{name: shape for name, (_, shape) in known.items()})
        _, dtypes, _ = internals.infer_type(**{name: np.dtype(dtype).type for name, (dtype, _) in known.items()})
    except Exception:  # noqa: BLE001  # MXNet's error; shapes are an extra, and names hold without them
        return {}
    names = internals.list_outputs()
    return {
        _entry(name, variables): (np.dtype(dtype).name, tuple(shape))
        for name, dtype, shape in zip(names, dtypes or (), shapes or (), strict=False)  # none when something is unknown
    }


def count_bytes(tensors: Iterable[Tensor]) -> int:
    """How much memory they take together."""
    return sum(np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in tensors)


def _entry(output: str, variables: set[str]) -> Entry:
    """The node, and the number of its output, that MXNet calls ``name``, ``name_output`` or ``name_output1``."""
    if output in variables:
        return output, 0
    name, _, number = output.rpartition("_output")
    return name or output, int(number) if number.isdecimal() else 0
