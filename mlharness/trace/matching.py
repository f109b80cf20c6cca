"""Which operators compute by which kinds of primitives, in the names that the frameworks give to operators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_PRODUCT = r"matmul|mm\b|gemm|linear|dense|fully|inner|dot|einsum|attention|lstm|gru|rnn|conv"
_TYPES: Mapping[str, str] = {
    "convolution": r"conv",
    "deconvolution": r"conv|transpose|deconv",
    "inner_product": _PRODUCT,
    "matmul": _PRODUCT,
    "pooling": r"pool|mean",
    "eltwise": r"relu|elu|tanh|sigmoid|logistic|swish|silu|mish|exp|log|sqrt|square|pow|abs|clip|clamp|hard|activation"
               r"|linear|round|erf|leaky",
    "binary": r"add|sum|mul|sub|div|max|min|bias|plus|\b[lg][te]\b|equal|binary|elemwise|broadcast",
    "sum": r"add|sum|plus",
    "concat": r"cat|stack",
    "softmax": r"softmax|attention",
    "logsoftmax": r"softmax",
    "batch_normalization": r"norm",
    "layer_normalization": r"norm",
    "group_normalization": r"norm",
    "lrn": r"lrn|norm",
    "resampling": r"resi|upsample|interpolat|resampl",
    "reduction": r"mean|sum|max|min|reduce|norm|prod",
    "shuffle": r"shuffle",
    "prelu": r"relu",
    "rnn": r"rnn|lstm|gru",
}  # fmt: skip
"""A pattern that is found in the operator's type, in lower case. Those that say too much do no harm: they settle less.
Reorders are of any operator."""


@lru_cache(maxsize=4096)
def fits(primitive: str, operator: str) -> bool:
    """Whether an operator of this type computes by this kind of primitive; False where that is not known."""
    pattern = _TYPES.get(primitive)
    return pattern is not None and re.search(pattern, operator.lower()) is not None
