"""Parameters and multiply-adds of a loaded model, counted over its graph with the shapes of one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlharness.errors import UserError
from mlharness.providers import Array, Complexity
from mlharness_tensorflow.computation import Computation, feeds_and_fetches, freeze
from mlharness_tensorflow.process import import_tensorflow

_LOOPS = frozenset({"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall", "MapDataset", "RemoteCall"})
_UNCHANGED = frozenset({"Identity", "ReadVariableOp", "Reshape", "Transpose", "ExpandDims", "Squeeze", "Cast"})
_AFFINE = frozenset({"Add", "AddV2", "BiasAdd", "Mul", "Einsum", "MatMul", "BatchMatMul", "BatchMatMulV2"})
_LEARNT: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(_AFFINE | {"BatchMatMulV3"}, (0, 1)),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput"), (1,)),
    "Conv3DBackpropInputV2": (1,),
    **{f"FusedBatchNorm{version}": (1, 2) for version in ("", "V2", "V3")},
    **dict.fromkeys(("Gather", "GatherV2", "ResourceGather"), (0,)),
}
"""By type of operation, the operands that training learns, when nothing that is fed goes into them."""


def measure(predictor: Any, batch: Mapping[str, Array]) -> Complexity:
    """Count a loaded model.

    Args:
        predictor: a :class:`~mlharness_tensorflow.predictor.TensorFlowPredictor`.
        batch: one sample, or the model's fixed batch.

    Returns:
        Parameters as the variables tell them; for a frozen graph, the constants that weigh, shift or scale what comes
        from the inputs. Multiply-adds of one sample; None when a shape is not known, or work hides in a loop.
    """
    computation: Computation = predictor.computation
    shapes = [batch[spec.name].shape for spec in predictor.inputs]
    try:
        operations = static_operations(computation, shapes)
    except UserError:  # what cannot be frozen has no graph to count
        operations = None
    parameters = computation.trainable
    if parameters is None:
        parameters = count_constants(operations or [])
    total = count_multiply_adds(operations) if operations is not None else None
    return Complexity(parameters, None if total is None else total // (shapes[0][0] or 1))


def static_operations(computation: Computation, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """The operations between inputs of these shapes and the outputs, each after those that it needs."""
    tf = import_tensorflow()
    if computation.owner is not None:
        computation = freeze(computation)
    feeds, fetches = feeds_and_fetches(computation.function)
    described = computation.function.graph.as_graph_def()
    with tf.Graph().as_default() as graph:
        placed = [tf.compat.v1.placeholder(spec.dtype, shape)
                  for spec, shape in zip(computation.inputs, shapes, strict=True)]  # fmt: skip
        # Importing works out every shape anew.
        tf.import_graph_def(described, dict(zip(feeds, placed, strict=True)), name="counted")
        needed = _needed([graph.get_tensor_by_name(f"counted/{name}").op for name in fetches])
    return [operation for operation in graph.get_operations() if operation in needed]


def count_multiply_adds(operations: Sequence[Any]) -> int | None:
    """Multiplications of convolutions and matrix products; None when they cannot be known."""
    total, depths = 0, loop_depths(operations)
    for operation in operations:
        if operation.type in _LOOPS | _CALLS and _hides_work(operation):
            return None
        count = _COUNTERS.get(operation.type)
        if count is None:
            continue
        if depths[operation]:
            return None
        try:
            total += count(operation)
        except (TypeError, ValueError):  # a size that is None, or a shape without a rank
            return None
    return total


def count_constants(operations: Sequence[Any]) -> int:
    """Elements of the learnt operands: what training gave a frozen graph, as well as the graph can tell.

    An operand counts once, however often it is used, and as it arrives: what a batch normalisation without an operation
    of its own computes from its statistics is one scale and one shift.
    """
    fed, found = _fed(operations), {}
    for operation in operations:
        if not any(tensor.op in fed for tensor in operation.inputs):
            continue
        for place in _LEARNT.get(operation.type, ()):
            tensor = operation.inputs[place]
            if tensor.op not in fed and tensor.dtype.is_floating and tensor.shape.rank:
                root = _root(tensor)
                found[root.name] = math.prod(_sizes(root)) if root.shape.is_fully_defined() else 0
    return sum(found.values())


def loop_depths(operations: Sequence[Any]) -> dict[Any, int]:
    """In how many loops of TensorFlow 1 each operation stands."""
    depths: dict[Any, int] = {}
    for operation in operations:
        around = max((depths.get(tensor.op, 0) for tensor in operation.inputs), default=0)
        depths[operation] = around + (operation.type == "Enter") - (operation.type == "Exit")
    return depths


def _needed(ends: Sequence[Any]) -> set[Any]:
    """The operations on which these depend, and these."""
    found, waiting = set(), list(ends)
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting.extend(tensor.op for tensor in operation.inputs)
    return found


def _fed(operations: Sequence[Any]) -> set[Any]:
    """The operations into which something that is fed goes."""
    fed: set[Any] = set()
    for operation in operations:
        if operation.type == "Placeholder" or any(tensor.op in fed for tensor in operation.inputs):
            fed.add(operation)
    return fed


def _root(tensor: Any) -> Any:
    """The tensor that this one is, in another form."""
    while tensor.op.type in _UNCHANGED:
        tensor = tensor.op.inputs[0]
    return tensor


def _hides_work(operation: Any) -> bool:
    """True when a function that the operation calls holds something that is counted."""
    library = {function.signature.name: function for function in operation.graph.as_graph_def().library.function}
    waiting, seen = [*_called(operation.node_def)], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in library:
            continue
        seen.add(name)
        for node in library[name].node_def:
            if node.op in _COUNTERS:
                return True
            waiting.extend(_called(node))
    return False


def _called(node: Any) -> list[str]:
    """The names of the functions that a node calls."""
    return [
        name for value in node.attr.values() for name in (value.func.name, *(f.name for f in value.list.func)) if name
    ]


def _sizes(tensor: Any) -> list[int]:
    """The length of each axis, None for one that is not known. Raises ValueError without a rank."""
    sizes: list[int] = tensor.shape.as_list()
    return sizes


def _convolution(operation: Any) -> int:
    """Each output needs the filter's window over the channels of its group."""
    return math.prod(_sizes(operation.outputs[0])) * math.prod(_sizes(operation.inputs[1])[:-1])


def _depthwise(operation: Any) -> int:
    """Each output needs the filter's window in one channel."""
    return math.prod(_sizes(operation.outputs[0])) * math.prod(_sizes(operation.inputs[1])[:-2])


def _transposed(operation: Any) -> int:
    """Each input goes through the filter's window into every channel; the filter is [..., out, in]."""
    return math.prod(_sizes(operation.inputs[2])) * math.prod(_sizes(operation.inputs[1])[:-1])


def _product(operation: Any) -> int:
    """Each output needs one row of the first matrix."""
    turned = any(operation.node_def.attr[key].b for key in ("transpose_a", "adj_x"))
    return math.prod(_sizes(operation.outputs[0])) * _sizes(operation.inputs[0])[-2 if turned else -1]


def _einsum(operation: Any) -> int:
    """Each letter is one loop; an ellipsis stands for the axes that the letters leave."""
    if len(operation.inputs) != 2:
        return 0
    sizes: dict[Any, int] = {}
    terms = operation.node_def.attr["equation"].s.decode().split("->")[0].split(",")
    for term, tensor in zip(terms, operation.inputs, strict=True):
        left, dots, right = term.strip().partition("...")
        free = tensor.shape.rank - len(left) - len(right)
        labels = [*left, *(range(-free, 0) if dots else ()), *right]
        for label, size in zip(labels, _sizes(tensor), strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    return math.prod(sizes.values())


_COUNTERS: Mapping[str, Callable[[Any], int]] = {
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _transposed,
    "Conv3DBackpropInputV2": _transposed,
    "MatMul": _product,
    "BatchMatMul": _product,
    "BatchMatMulV2": _product,
    "BatchMatMulV3": _product,
    "Einsum": _einsum,
}
