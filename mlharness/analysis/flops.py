"""How many operations an operator takes, and how many bytes it moves: estimated from its shapes, by its kind.

A multiply and an add are two operations; a bias and an activation that are fused into a product are not counted. Bytes
are those of all inputs and outputs, each moved once: what a cache that is large enough would leave. Where a kind or a
shape is unknown the answer is None, not a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from mlharness.analysis.operators import KINDS

Shape = Sequence[int]
Tensor = tuple[str, tuple[int, ...]]
Formula = Callable[[Sequence[Shape], Sequence[Shape]], float]
"""Operations from the dims of inputs and outputs. Raises IndexError, ValueError or ZeroDivisionError where they do not
suffice."""

ITEM_BYTES = {
    "double": 8, "float64": 8, "f64": 8, "int64": 8, "long": 8, "long int": 8, "uint64": 8, "s64": 8,
    "float": 4, "float32": 4, "f32": 4, "int": 4, "int32": 4, "uint32": 4, "s32": 4,
    "half": 2, "float16": 2, "f16": 2, "c10::half": 2, "bfloat16": 2, "bf16": 2, "c10::bfloat16": 2, "int16": 2,
    "int8": 1, "uint8": 1, "s8": 1, "u8": 1, "bool": 1, "byte": 1, "signed char": 1, "unsigned char": 1,
}  # fmt: skip


def _convolution(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """Weights [O, I/groups, kernel ...]: each output element is a sum over the rest of the weights' axes.

    A framework that keeps weights in a form of its own may not tell them, and what stands in their place is the bias.
    """
    weights = inputs[1]
    if len(weights) != len(inputs[0]):
        raise ValueError("no weights")
    return 2 * prod(outputs[0]) * prod(weights[1:])


def _quantised_convolution(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """ONNX's QLinearConv: scale and zero point of the input come before the weights."""
    return _convolution((inputs[0], inputs[3]), outputs)


def _convolution_last(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """TensorFlow's weights [kernel ..., I/groups, O]."""
    return 2 * prod(outputs[0]) * prod(inputs[1][:-1])


def _depthwise_last(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """TensorFlow's weights [kernel ..., C, multiplier]: one channel a sum."""
    return 2 * prod(outputs[0]) * prod(inputs[1][:-2])


def _transposed_convolution(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """Weights [I, O/groups, kernel ...]: each input element goes to so many outputs."""
    return 2 * prod(inputs[0]) * prod(inputs[1][1:])


def _product(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """[..., M, K] x [..., K, N], either of them perhaps transposed: the output tells M and N, the first input K."""
    first, output = inputs[0], outputs[0]
    rows = prod(output) // output[-1]
    inner = prod(first) // rows if prod(first) % rows == 0 else first[-1]
    return 2 * prod(output) * inner


def _biased_product(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """aten::addmm: the bias comes first."""
    return _plain_product(inputs[1:], outputs)


def _plain_product(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """aten::mm, bmm, matmul: nothing is transposed, so that the inputs tell all, also without an output."""
    first, second = inputs[:2]
    if len(second) == 1:
        return 2 * prod(first)
    batch = max(prod(first[:-2]), prod(second[:-2]))
    return 2 * batch * prod(first[-2:]) * second[-1]


def _linear(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """aten::linear: weights [out, in]."""
    return 2 * prod(inputs[0]) * inputs[1][0]


def _attention(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """Query [..., L, E], key [..., S, E], value [..., S, V]: two products."""
    query, key, value = inputs[:3]
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _recurrent(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """ONNX's LSTM, GRU and RNN: X [time, batch, I], W and R [directions, gates x H, I or H]."""
    time, batch = inputs[0][:2]
    return 2 * time * batch * (prod(inputs[1]) + prod(inputs[2]))


def _each_output(times: float) -> Formula:
    return lambda inputs, outputs: times * prod((outputs or inputs)[0])


def _each_input(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """Reductions and pooling: each element is taken once (overlapping windows take some again, which is left out)."""
    return prod(inputs[0])


def _none(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    return 0


_COUNTED: dict[str, Formula] = {
    "convolution": _convolution,
    "quantised convolution": _quantised_convolution,
    "transposed convolution": _transposed_convolution,
    "convolution, channels last": _convolution_last,
    "depthwise convolution, channels last": _depthwise_last,
    "product": _product,
    "biased product": _biased_product,
    "plain product": _plain_product,
    "linear": _linear,
    "attention": _attention,
    "recurrent": _recurrent,
    "one an output": _each_output(1),
    "two an output": _each_output(2),
    "four an output": _each_output(4),
    "eight an output": _each_output(8),
    "one an input": _each_input,
    "none": _none,
    "none, a view": _none,
    "none, a choice": _none,
}
GROUPS = {kind: group for group, kinds in KINDS.items() for kind in kinds}


def operations(kind: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> float | None:
    """Operations of one execution; None where the kind is unknown, or the shapes do not suffice."""
    group = GROUPS.get(kind)
    if group is None:
        return None
    try:
        return _COUNTED[group]([dims for _, dims in inputs], [dims for _, dims in outputs])
    except (IndexError, ValueError, ZeroDivisionError):
        return None


def moved_bytes(kind: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int | None:
    """Bytes that one execution reads and writes; None where a tensor's dtype is unknown, or no shape is given."""
    group = GROUPS.get(kind)
    if group == "none, a view":
        return 0
    if not inputs or not outputs:
        return None
    read = outputs if group == "none, a choice" else [*inputs, *_kept_weights(group, inputs, outputs)]
    sizes = [_size(tensor) for tensor in (*read, *outputs)]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _kept_weights(group: str | None, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Tensor]:
    """The second matrix of a product whose framework keeps it in a form of its own, and tells at most the bias."""
    (dtype, first), (_, output) = inputs[0], outputs[0]
    told = len(inputs) > 1 and inputs[1][1] != output[-1:]
    if group != "product" or told or len(first) < 2 or len(output) < 2:
        return []
    return [(dtype, (first[-1], output[-1]))]


def tensors(given: Any) -> list[Tensor]:
    """The attribute ``inputs`` or ``outputs`` of an operator, ``[[dtype, [dims]] ...]``; nothing of anything else."""
    found: list[Tensor] = []
    for entry in given if isinstance(given, list) else []:
        match entry:
            case [str(dtype), [*dims]] if all(isinstance(dim, int) for dim in dims):
                found.append((dtype, tuple(dims)))
            case _:
                return []
    return found


def _size(tensor: Tensor) -> int | None:
    dtype, dims = tensor
    item = ITEM_BYTES.get(dtype.lower())
    return None if item is None else item * prod(dims)
