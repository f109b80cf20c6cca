"""The graph of a symbol, read from its JSON without MXNet, which crashes on a graph that is not sound."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlharness.errors import UserError


@dataclass(frozen=True)
class Node:
    """An operator, or with the operator ``null`` an argument; ``inputs`` are the numbers of nodes before it."""

    op: str
    name: str
    attributes: Mapping[str, str]
    inputs: tuple[int, ...]


def parse_graph(text: str, file: str) -> tuple[Node, ...]:
    """The nodes of a symbol in their order. Raises UserError when the text is not the JSON of a sound symbol."""
    return parse_document(text, file)[0]


def parse_document(text: str, file: str) -> tuple[tuple[Node, ...], set[int]]:
    """As :func:`parse_graph`, and the numbers of the nodes that give outputs."""
    try:
        document = json.loads(text)
        nodes = tuple(parse_node(item, number) for number, item in enumerate(document["nodes"]))
        heads = check_references(document, nodes)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{file} is not the JSON of an MXNet symbol ({what})", "Write it anew, and complete."
        ) from error
    return nodes, heads


def parse_node(item: Mapping[str, Any], number: int) -> Node:
    """One node; its inputs must stand before it."""
    # Older versions of MXNet wrote the attributes under other keys.
    attributes: Mapping[str, Any] = next((item[key] for key in ("attrs", "attr", "param") if item.get(key)), {})
    inputs = tuple(index_of(entry, number) for entry in item["inputs"])
    return Node(str(item["op"]), str(item["name"]), {key: str(value) for key, value in attributes.items()}, inputs)


def check_references(document: Mapping[str, Any], nodes: Sequence[Node]) -> set[int]:
    """The heads. Raises ValueError unless there are some, and heads and arguments point at nodes."""
    if not nodes or not document["heads"]:
        raise ValueError("it has no nodes, or no heads")
    for number in document["arg_nodes"]:
        if nodes[index_of([number], len(nodes))].op != "null":
            raise ValueError(f"node {number} is no argument")
    return {index_of(entry, len(nodes)) for entry in document["heads"]}


def index_of(entry: Sequence[Any], below: int) -> int:
    """The node that an entry ``[node, output, ...]`` points at. Raises ValueError unless it is among the first ones."""
    number = entry[0]
    if not isinstance(number, int) or not 0 <= number < below:
        raise ValueError(f"node {number!r} of {below}")
    return number


def rename_head(text: str, name: str) -> str:
    """The symbol with its head called ``name``, when it has one head; a symbol of several stays as it is."""
    document = json.loads(text)
    if len(document["heads"]) == 1:
        document["nodes"][document["heads"][0][0]]["name"] = name
    return json.dumps(document, indent=1)
