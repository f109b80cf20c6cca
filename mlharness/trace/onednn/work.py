"""Operations and bytes of a primitive, estimated from its shapes and types.

Every tensor is taken to be read or written once, padding to be computed like the rest, and what is fused to cost
nothing. An operation is one addition, multiplication or comparison, so that a multiplication with its addition is two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

SOFTMAX = 5
"""Operations an element: the greatest, its difference, the exponential (taken for one), the sum, and the quotient."""
NORMALISATION = 2
"""Operations an element, with statistics that are known: a multiplication and an addition."""

_BITS = {"f64": 64, "s64": 64, "f32": 32, "s32": 32, "tf32": 32, "f16": 16, "bf16": 16, "boolean": 8, "s8": 8, "u8": 8,
         "f8_e5m2": 8, "f8_e4m3": 8, "e8m0": 8, "s4": 4, "u4": 4, "f4_e2m1": 4, "f4_e3m0": 4}  # fmt: skip
_NAMED = re.compile(r"([a-z]+)(\d+)")

Elements = Mapping[str, int]
"""How many elements each tensor of a primitive has."""


@dataclass(frozen=True)
class Argument:
    """A tensor's role (``src``, ``wei``, ``bia``, ``dst``, ``data``) and its type, as oneDNN writes both."""

    role: str
    dtype: str


@dataclass(frozen=True)
class Work:
    """What one execution is estimated to compute and to move."""

    flops: int
    bytes: int


def estimate(kind: str, problem: str, arguments: Sequence[Argument]) -> Work | None:
    """The work of a primitive; None for a kind that is not known, or a shape that is told only when it runs.

    Args:
        kind: of the primitive, such as ``convolution``.
        problem: oneDNN's description of the shapes.
        arguments: the tensors that take part.
    """
    count = _KINDS.get(kind)
    if count is None or "*" in problem:
        return None
    try:
        flops, elements = count(problem)
    except (KeyError, ValueError, IndexError):  # a description of another form
        return None
    bits = 0
    for role, dtype in zip(_roles(arguments), (argument.dtype for argument in arguments), strict=True):
        if role in elements:
            bits += elements[role] * _BITS.get(dtype, 0)
    return Work(flops, bits // 8)


def _roles(arguments: Sequence[Argument]) -> list[str]:
    """The roles; where there are several of one, they are numbered from 0."""
    names = [argument.role for argument in arguments]
    seen: dict[str, int] = {}
    numbered = []
    for name in names:
        number = seen.get(name, 0)
        seen[name] = number + 1
        numbered.append(f"{name}{number}" if names.count(name) > 1 else name)
    return numbered


def _named(problem: str) -> dict[str, int]:
    """``mb1_ic3oc64_ih224oh112...`` as numbers by their names."""
    return {name: int(value) for name, value in _NAMED.findall(problem)}


def _over(sizes: Mapping[str, int], letter: str) -> int:
    """The product over depth, height and width: of ``i`` the input's, of ``o`` the output's, of ``k`` the kernel's."""
    return prod(sizes.get(letter + axis, 1) for axis in "dhw")


def _dims(text: str) -> list[int]:
    """``1x64x56x56`` as numbers; a single one is written ``x1000``."""
    return [int(part) for part in text.split("x") if part]


def _count(problem: str) -> int:
    """The elements of one tensor, in either way of writing."""
    if "mb" not in problem:
        return prod(_dims(problem))
    sizes = _named(problem)
    return sizes["mb"] * sizes["ic"] * _over(sizes, "i")


def _convolution(problem: str) -> tuple[int, Elements]:
    sizes = _named(problem)
    weights = sizes["oc"] * (sizes["ic"] // sizes.get("g", 1)) * _over(sizes, "k")
    inputs = sizes["mb"] * sizes["ic"] * _over(sizes, "i")
    outputs = sizes["mb"] * sizes["oc"] * _over(sizes, "o")
    flops = 2 * outputs * (weights // sizes["oc"])
    return flops, {"src": inputs, "wei": weights, "bia": sizes["oc"], "dst": outputs}


def _deconvolution(problem: str) -> tuple[int, Elements]:
    """Every input is multiplied with the kernel of every output channel of its group."""
    _, elements = _convolution(problem)
    sizes = _named(problem)
    return 2 * elements["src"] * (sizes["oc"] // sizes.get("g", 1)) * _over(sizes, "k"), elements


def _inner_product(problem: str) -> tuple[int, Elements]:
    sizes = _named(problem)
    inner = sizes["ic"] * _over(sizes, "i")
    outputs = sizes["mb"] * sizes["oc"]
    elements = {"src": sizes["mb"] * inner, "wei": sizes["oc"] * inner, "bia": sizes["oc"], "dst": outputs}
    return 2 * outputs * inner, elements


def _matmul(problem: str) -> tuple[int, Elements]:
    left, right = (_dims(part) for part in problem.split(":")[:2])
    batch = prod(max(pair) for pair in zip(left[:-2], right[:-2], strict=True))
    rows, inner, columns = left[-2], left[-1], right[-1]
    elements = {"src": prod(left), "wei": prod(right), "bia": columns, "dst": batch * rows * columns}
    return 2 * batch * rows * inner * columns, elements


def _pooling(problem: str) -> tuple[int, Elements]:
    sizes = _named(problem)
    planes = sizes["mb"] * sizes["ic"]
    outputs = planes * _over(sizes, "o")
    return outputs * _over(sizes, "k"), {"src": planes * _over(sizes, "i"), "dst": outputs}


def _binary(problem: str) -> tuple[int, Elements]:
    first, second = (_dims(part) for part in problem.split(":")[:2])
    outputs = prod(max(pair) for pair in zip(first, second, strict=True))
    return outputs, {"src0": prod(first), "src1": prod(second), "dst": outputs}


def _each(operations: int) -> Callable[[str], tuple[int, Elements]]:
    """As many operations for each element, of what is read and written."""

    def count(problem: str) -> tuple[int, Elements]:
        elements = _count(problem)
        return operations * elements, {"src": elements, "dst": elements, "data": 2 * elements}

    return count


_KINDS: Mapping[str, Callable[[str], tuple[int, Elements]]] = {
    "convolution": _convolution,
    "deconvolution": _deconvolution,
    "inner_product": _inner_product,
    "matmul": _matmul,
    "gemm_api": _matmul,
    "pooling": _pooling,
    "eltwise": _each(1),
    "binary": _binary,
    "reorder": _each(0),
    "batch_normalization": _each(NORMALISATION),
    "softmax": _each(SOFTMAX),
}
