"""How large a network is: what training learns, and the multiplications of convolutions and matrix products."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from mlharness.providers import Complexity
from mlharness_mxnet.graph import Node
from mlharness_mxnet.network import Network, Shape

Count = Callable[[Node, Sequence[Shape], Shape], int]
"""The multiplications of a node, from the shapes of its inputs and of its output."""


def measure(network: Network, inputs: Mapping[str, Shape]) -> Complexity:
    """Parameters and, unless an operator is not understood, multiply-adds of one sample of a batch of these shapes."""
    fixed = fixed_arguments(network.nodes)
    parameters = sum(array.size for name, array in network.arguments.items() if name not in fixed)
    return Complexity(int(parameters), multiply_adds(network, inputs))


def fixed_arguments(nodes: Sequence[Node]) -> set[str]:
    """The scales of normalisations that keep them at one."""
    fixed = [node for node in nodes if node.op == "BatchNorm" and truth(node, "fix_gamma", default=True)]
    return {nodes[node.inputs[1]].name for node in fixed}


def multiply_adds(network: Network, inputs: Mapping[str, Shape]) -> int | None:
    """The multiplications of one sample; None when the network has matrix products of kinds that are not counted."""
    internals = network.symbol.get_internals()
    known = {**{name: array.shape for name, array in network.arguments.items()}, **inputs}
    _, found, _ = internals.infer_shape(**known)
    shapes = dict(zip(internals.list_outputs(), found, strict=True))
    total = 0
    for node in network.nodes:
        if node.op in _UNCOUNTED or node.op.startswith("_contrib_quantized"):
            return None
        if node.op in _COUNTS and f"{node.name}_output" in shapes:
            taken = [shape_of(network.nodes[number], shapes) for number in node.inputs]
            total += _COUNTS[node.op](node, taken, shapes[f"{node.name}_output"])
    return total // next(iter(inputs.values()))[0]


def shape_of(node: Node, shapes: Mapping[str, Shape]) -> Shape:
    """The shape of an argument, or of an operator's first output."""
    return next(
        (shapes[key] for key in (node.name, f"{node.name}_output", f"{node.name}_output0") if key in shapes), ()
    )


def convolution(node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    """Every element of the output takes a filter, which sees its group of channels only."""
    return prod(output) * (prod(inputs[1]) // inputs[1][0])


def deconvolution(node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    """Every element of the input takes a filter."""
    return prod(inputs[0]) * prod(inputs[1][1:])


def fully_connected(node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    """Every element of the output takes a row of the weights."""
    return prod(output) * inputs[1][1]


def product(node: Node, inputs: Sequence[Shape], output: Shape) -> int:
    """Every element of the output takes the axis that the product sums over."""
    first = inputs[0]
    batched = node.op == "batch_dot"
    return prod(output) * (first[1 if batched else 0] if truth(node, "transpose_a") else first[-1])


def truth(node: Node, attribute: str, default: bool = False) -> bool:
    """A boolean attribute, which MXNet writes as ``True`` or ``1``."""
    return node.attributes.get(attribute, str(default)) in ("True", "1", "true")


_COUNTS: Mapping[str, Count] = {
    "Convolution": convolution,
    "Deconvolution": deconvolution,
    "FullyConnected": fully_connected,
    "dot": product,
    "batch_dot": product,
}
_UNCOUNTED = frozenset(
    {"RNN", "_linalg_gemm", "_linalg_gemm2", "linalg_gemm", "linalg_gemm2", "khatri_rao", "_npi_matmul", "_npi_dot",
     "_contrib_DeformableConvolution", "_foreach", "_while_loop", "_cond", "Custom"}
)  # fmt: skip
