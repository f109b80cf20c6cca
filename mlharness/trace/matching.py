"""Which operators compute by which primitives: as their types say, and as those show whose operator is certain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from mlharness.trace.enclosing import Bounds, Enclosed
from mlharness.trace.levels import FRAMEWORK, MODEL
from mlharness.trace.spans import Integers, SpanTable

ENOUGH = 10
"""Of so many equal primitives the operator must be certain, before another is placed by what those show: were it one of
two operators by chance, both would have been seen but once in 2^9 cases."""

_PRODUCT = r"matmul|mm\b|gemm|linear|dense|fully|inner|dot|einsum|attention|lstm|gru|rnn|conv"
_TYPES: Mapping[str, str] = {
    "convolution": r"conv",
    "deconvolution": r"conv|transpose|deconv",
    "inner_product": _PRODUCT,
    "matmul": _PRODUCT,
    "gemm_api": _PRODUCT,
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


class Shown:
    """What the primitives show whose operator is certain.

    Each call of a model runs the same operators in one order, and each of them computes the same primitives.

    Args:
        certain: for a primitive's row that of its operator.
    """

    def __init__(self, table: SpanTable, bounds: Bounds, enclosed: Enclosed, certain: Mapping[int, int]) -> None:
        self._table = table
        self._places = _places(bounds, enclosed)
        self._by = [(asked, self._seen(asked, certain)) for asked in (self._kinds, self._whole)]
        self._has = Counter((operator, self._whole(row, operator)[0]) for row, operator in certain.items())
        self._most: dict[tuple[Hashable, Hashable], int] = {}
        for row, operator in certain.items():
            pair = self._whole(row, operator)
            self._most[pair] = max(self._most.get(pair, 0), self._has[operator, pair[0]])

    def narrow(self, row: int, candidates: Sequence[int]) -> list[int]:
        """Those candidates whose like was seen to compute the like of this primitive; all where that is not known."""
        left = list(candidates)
        for asked, (pairs, totals) in self._by:
            if len(left) > 1 and totals[asked(row, row)[0]] >= ENOUGH:
                left = [one for one in left if pairs[asked(row, one)]] or left
                if asked == self._whole:
                    left = [one for one in left if not self._is_full(row, one)] or left
        return left

    def _is_full(self, row: int, operator: int) -> bool:
        """Whether this operator has as many of these primitives as any at its place in another call."""
        pair = self._whole(row, operator)
        return self._has[operator, pair[0]] >= self._most.get(pair, 0)

    def _seen(
        self, asked: Callable[[int, int], tuple[Hashable, Hashable]], certain: Mapping[int, int]
    ) -> tuple[Counter[tuple[Hashable, Hashable]], Counter[Hashable]]:
        pairs = Counter(asked(row, operator) for row, operator in certain.items())
        totals: Counter[Hashable] = Counter()
        for (primitive, _), count in pairs.items():
            totals[primitive] += count
        return pairs, totals

    def _kinds(self, row: int, operator: int) -> tuple[Hashable, Hashable]:
        """The kind of the primitive and the type of the operator."""
        kind = self._table.kind
        return int(kind[row]), int(kind[operator])

    def _whole(self, row: int, operator: int) -> tuple[Hashable, Hashable]:
        """The primitive with its implementation and shape, and the operator with its name and its place in its call."""
        table = self._table
        primitive = int(table.kind[row]), int(table.name[row]), int(table.attributes[row])
        return primitive, (int(table.kind[operator]), int(table.name[operator]), int(self._places[operator]))


def _places(bounds: Bounds, enclosed: Enclosed) -> Integers:
    """The place of each operator among those of its call of the model, in the order in which they begin.

    0 where the call is on another thread: there operators run in no certain order, and have their names.
    """
    places = np.zeros(len(bounds.start), np.int64)
    for timeline in enclosed.timelines:
        call: dict[int, int] = {-1: -1}
        count: Counter[int] = Counter()
        rows = timeline.rows.tolist()
        for row, level, outer in zip(rows, bounds.level[rows].tolist(), enclosed.enclosing[rows].tolist(), strict=True):
            call[row] = row if level == MODEL else call.get(outer, -1)
            if level == FRAMEWORK and call[row] >= 0:
                count[call[row]] += 1
                places[row] = count[call[row]]
    return places
