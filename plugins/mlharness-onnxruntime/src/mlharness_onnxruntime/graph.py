"""The graph of an ``.onnx`` file: its nodes and constants, without the weights' values.

Field numbers and element types are those of ``onnx.proto``, which never change.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from mlharness_onnxruntime.wire import fields, numbers

FLOATS = frozenset({1, 10, 11, 16, 17, 18, 19, 20, 23})
"""Element types of floating point: float, float16, double, bfloat16, four of 8 bits, one of 4."""
SMALL_INTEGERS = frozenset({2, 3, 4, 5, 21, 22})
"""Element types in which quantised weights are kept: (u)int8, (u)int16, (u)int4."""
INT64 = 7
_VALUES = 64  # the most numbers of a tensor that are read: more than any shape has


@dataclass(frozen=True, eq=False)
class Tensor:
    """A constant: ``dtype`` is ONNX's number, ``values`` are those of a short int64 tensor, ``location`` is the file
    that holds the data when it is not the model's own."""

    name: str
    dtype: int
    shape: tuple[int, ...]
    values: tuple[int, ...] = ()
    location: str = ""

    @property
    def size(self) -> int:
        """How many elements it has."""
        return prod(self.shape)


@dataclass(frozen=True, eq=False)
class Node:
    """One operator; ``tensors`` and ``graphs`` are what its attributes hold. Its ``name`` may be empty."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    integers: dict[str, int] = field(default_factory=dict)
    tensors: tuple[Tensor, ...] = ()
    graphs: tuple[Graph, ...] = ()
    name: str = ""


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in the order in which they run, and initialisers."""

    nodes: tuple[Node, ...]
    initialisers: tuple[Tensor, ...]

    def tensors(self) -> Iterator[Tensor]:
        """Every constant, those of inner graphs too."""
        yield from self.initialisers
        for node in self.nodes:
            yield from node.tensors
            for inner in node.graphs:
                yield from inner.tensors()


def read_graph(path: Path) -> Graph:
    """The graph of a file. Raises ValueError when it is no ONNX model, and OSError."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise ValueError("an empty file")
        # Not closed by hand: it lives as long as a view of it does.
        message = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    # To the last field, so that a cut-off file is noticed.
    graphs = [value for number, value in _messages(message) if number == 7]
    if not graphs:
        raise ValueError("no graph")
    return _graph(graphs[0])


def _graph(message: memoryview) -> Graph:
    nodes, initialisers = [], []
    for number, value in _messages(message):
        if number == 1:
            nodes.append(_node(value))
        elif number == 5:
            initialisers.append(_tensor(value))
    return Graph(tuple(nodes), tuple(initialisers))


def _node(message: memoryview) -> Node:
    texts: dict[int, list[str]] = {1: [], 2: [], 3: [""], 4: [""]}  # inputs, outputs, name, operator
    integers, tensors, graphs = {}, [], []
    for number, value in _messages(message):
        if number in texts:
            texts[number].append(_text(value))
        elif number == 5:
            name = ""
            for part, content in fields(value):
                if part == 3 and isinstance(content, int):
                    integers[name] = content
                elif not isinstance(content, memoryview):
                    continue
                elif part == 1:
                    name = _text(content)
                elif part == 5:
                    tensors.append(_tensor(content))
                elif part in (6, 11):
                    graphs.append(_graph(content))
    inputs, outputs, (*_, title), (*_, op) = texts.values()
    return Node(op, tuple(inputs), tuple(outputs), integers, tuple(tensors), tuple(graphs), title)


def _tensor(message: memoryview) -> Tensor:
    name = location = ""
    dtype = 0
    shape: list[int] = []
    values: list[int] = []
    for number, value in fields(message):
        if number == 1:
            shape += numbers(value)
        elif number == 2 and isinstance(value, int):
            dtype = value
        elif number == 7 and len(values) < _VALUES:
            values += numbers(value)
        elif not isinstance(value, memoryview):
            continue
        elif number == 8:
            name = _text(value)
        elif number == 9 and dtype == INT64 and len(value) <= 8 * _VALUES:
            values += [int.from_bytes(value[at : at + 8], "little", signed=True) for at in range(0, len(value), 8)]
        elif number == 13:
            location = _location(value) or location
    return Tensor(name, dtype, tuple(shape), tuple(values), location)


def _location(message: memoryview) -> str:
    """What one entry of external data says of the file; empty when it says something else."""
    entry = {number: _text(value) for number, value in _messages(message)}
    return entry.get(2, "") if entry.get(1) == "location" else ""


def _messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields that hold bytes."""
    for number, value in fields(message):
        if isinstance(value, memoryview):
            yield number, value


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "replace")
