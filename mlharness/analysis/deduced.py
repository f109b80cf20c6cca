"""The outputs of an operator whose framework tells only its inputs: from what it computes, and from who runs next."""

from __future__ import annotations

from collections.abc import Sequence

from mlharness.analysis.flops import GROUPS, Tensor

_LIKE_INPUT = {"one an output", "two an output", "four an output", "eight an output"}
_MATRICES = {"plain product": 0, "biased product": 1}
"""Where the first matrix stands among the inputs."""


def deduce_outputs(kind: str, inputs: Sequence[Tensor], following: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of an operator; none where they cannot be told.

    Args:
        kind: of the operator.
        inputs: of it.
        following: the inputs of the operator that runs next, which as a rule takes what this one gives. That is
            believed of a convolution and of pooling, and only when batch and channels are right.
    """
    group = GROUPS.get(kind, "")
    try:
        if group in _LIKE_INPUT:
            return [max(inputs, key=lambda tensor: len(tensor[1]))]
        if group == "linear":
            (dtype, first), (_, weights) = inputs[:2]
            return [(dtype, (*first[:-1], weights[0]))]
        if group in _MATRICES:
            (dtype, first), (_, second) = inputs[_MATRICES[group] :][:2]
            return [(dtype, (*max(first[:-2], second[:-2], key=len), first[-2], second[-1]))]
        if group in ("convolution", "one an input"):
            channels = inputs[1][1][0] if group == "convolution" else inputs[0][1][1]
            return [tensor for tensor in following[:1] if _follows(inputs[0], channels, tensor)]
    except (IndexError, ValueError):
        return []
    return []


def _follows(first: Tensor, channels: int, found: Tensor) -> bool:
    """Whether a tensor [batch, channels, ...] can be what became of the first input, whose other axes only shrink."""
    (dtype, before), (other, after) = first, found
    shrunk = all(new <= old for new, old in zip(after[2:], before[2:], strict=False))
    return dtype == other and len(before) == len(after) and after[:2] == (before[0], channels) and shrunk
