"""How many parameters a graph has: what training learnt, each counted once.

A constant counts when it reaches, by itself or through operators that work on constants only (a cast, a transposition,
a dequantisation), an input in which layers keep what they learn. So neither a batch normalisation's mean and variance
count, nor scales and zero points of a quantisation, nor shapes, axes and single numbers of a formula. A batch
normalisation that was folded into its convolution leaves the convolution's weights and bias.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlharness_onnxruntime.graph import FLOATS, SMALL_INTEGERS, Graph, Node, Tensor

_Sources = frozenset[Tensor]

LEARNT = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "FusedConv": (1, 2),
    "DeformConv": (1, 3),
    "ConvInteger": (1,),
    "QLinearConv": (3, 8),
    "Gemm": (0, 1, 2),
    "QGemm": (0, 3, 6),
    "MatMul": (0, 1),
    "FusedMatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "DynamicQuantizeMatMul": (1, 4),
    "MatMulIntegerToFloat": (0, 1, 6),
    "QLinearMatMul": (0, 3),
    "Einsum": (0, 1, 2),
    "LSTM": (1, 2, 3, 7),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
    "Gather": (0,),
    "GatherElements": (0,),
    "PRelu": (1,),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "RMSNormalization": (1,),
    "SimplifiedLayerNormalization": (1,),
    "SkipLayerNormalization": (2, 3, 4),
    "SkipSimplifiedLayerNormalization": (2, 3),
    "BiasGelu": (1,),
    "FastGelu": (1,),
    "Attention": (1, 2),
    "QAttention": (1, 2),
    "MultiHeadAttention": (3,),
    "EmbedLayerNormalization": (2, 3, 4, 5, 6),
}
"""The inputs, by operator and position, that hold what is learnt."""
ELEMENTWISE = frozenset({"Add", "Mul"})
"""A bias, an embedding of positions, a scale by channel: learnt when it is more than one number of floating point."""
_QUANTISATION = frozenset({"DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear"})
_TABLES = frozenset({"Gather", "GatherElements"})  # where integers are a table of shapes or indices, nothing learnt


def count_parameters(graph: Graph) -> int:
    """The elements of all that a graph and its inner graphs learnt."""
    learnt: set[Tensor] = set()
    packed: dict[str, int] = {}
    _collect(graph, {}, learnt, packed)
    return sum(tensor.size for tensor in learnt) + sum(packed.values())


def _collect(graph: Graph, outer: Mapping[str, _Sources], learnt: set[Tensor], packed: dict[str, int]) -> None:
    """Add what a graph learnt; ``outer`` are the constants that the graphs around it know, by name."""
    known = {**outer, **{tensor.name: frozenset({tensor}) for tensor in graph.initialisers}}
    for node in graph.nodes:
        constant = _constant(node, known)
        if constant is not None:
            known.update(dict.fromkeys(node.outputs, constant))
            continue
        learnt.update(_learnt(node, known))
        if node.op == "MatMulNBits":  # several weights in a byte: only its attributes know how many
            packed[node.inputs[1]] = node.integers.get("K", 0) * node.integers.get("N", 0)
        for inner in node.graphs:
            _collect(inner, known, learnt, packed)


def _constant(node: Node, known: Mapping[str, _Sources]) -> _Sources | None:
    """The tensors that a constant node's result is made of; None for a node that depends on the model's input."""
    if node.op == "Constant":
        return frozenset(node.tensors)
    inputs = [name for name in node.inputs if name]
    if node.graphs or not inputs or not all(name in known for name in inputs):
        return None
    if node.op == "ConstantOfShape":
        dtype = node.tensors[0].dtype if node.tensors else 1
        return frozenset(Tensor("", dtype, shape.values) for shape in known[inputs[0]])
    if node.op in _QUANTISATION:
        return known[inputs[0]]
    found: _Sources = frozenset().union(*(known[name] for name in inputs))
    return frozenset(tensor for tensor in found if tensor.dtype in FLOATS | SMALL_INTEGERS)


def _learnt(node: Node, known: Mapping[str, _Sources]) -> Iterator[Tensor]:
    """The tensors that one node, which works on the model's input, learnt."""
    for position in LEARNT.get(node.op, ()):
        if position < len(node.inputs):
            found = known.get(node.inputs[position], frozenset())
            yield from (tensor for tensor in found if node.op not in _TABLES or _is_weight(tensor))
    if node.op in ELEMENTWISE:
        for name in node.inputs:
            yield from (tensor for tensor in known.get(name, ()) if tensor.dtype in FLOATS and tensor.size > 1)


def _is_weight(tensor: Tensor) -> bool:
    return tensor.dtype in FLOATS | SMALL_INTEGERS
