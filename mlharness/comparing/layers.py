"""Layers of two traces, brought together, and which of them explain a difference.

Two runtimes seldom have the same layers: names change, some are fused into one, some are split. So layers are matched
by name where names are the same, then by type and shape between those, in order. What is left between two matches on
both sides is compared as one block.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

How = Literal["name", "type and shape", "block", "only a", "only b"]
_SYNONYMS = {
    "convolution": "conv", "gemm": "dense", "linear": "dense", "fullyconnected": "dense", "innerproduct": "dense",
    "addmm": "dense", "matmul": "dense", "batchnormalization": "batchnorm", "fusedbatchnorm": "batchnorm",
}  # fmt: skip
"""What frameworks call the same type of layer, without the number of axes: conv2d is conv."""
ENOUGH = 0.9
"""The layers that are told first explain this share of the difference."""


@dataclass(frozen=True)
class Layer:
    """A layer (or kernel) of a run's trace; the order of a list is that in which they run.

    ``shape`` is the output's, empty when nobody says. ``mean_ns`` is its time in one call of the model, in nanoseconds.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    mean_ns: float


@dataclass(frozen=True)
class Matched:
    """Layers of a that do what layers of b do, and how one can tell; one side is empty for ``only``."""

    a: tuple[Layer, ...]
    b: tuple[Layer, ...]
    how: How

    @property
    def delta_ns(self) -> float:
        """How much longer b takes in a call of the model."""
        return sum(layer.mean_ns for layer in self.b) - sum(layer.mean_ns for layer in self.a)


def align(a: Sequence[Layer], b: Sequence[Layer]) -> list[Matched]:
    """Every layer of both in exactly one match, in a's order, and b's where a has none."""
    named = _by_name(a, b)
    found: list[Matched] = []
    crossing = {(one, other) for one, other in named} - set(ordered := _increasing(named))
    taken = [{pair[side] for pair in crossing} for side in (0, 1)]
    start = (0, 0)
    for one, other in [*ordered, (len(a), len(b))]:
        gap_a = [layer for place, layer in enumerate(a[start[0] : one], start[0]) if place not in taken[0]]
        gap_b = [layer for place, layer in enumerate(b[start[1] : other], start[1]) if place not in taken[1]]
        found += _align_gap(gap_a, gap_b)
        found += [Matched((a[x],), (b[y],), "name") for x, y in sorted(crossing) if start[0] <= x < one]
        if one < len(a) or other < len(b):
            found.append(Matched((a[one],), (b[other],), "name"))
        start = (one + 1, other + 1)
    return found


def explain(matches: Iterable[Matched]) -> dict[str, Any]:
    """The matches as plain data: those that explain the difference first, and by how much each does.

    ``share`` is of the whole difference, and can be negative for a layer that goes against it; ``explains`` marks the
    fewest that together make :data:`ENOUGH` of it.
    """
    ranked = sorted(matches, key=lambda match: -abs(match.delta_ns))
    whole = sum(match.delta_ns for match in ranked)
    rows, sum_ns = [], 0.0
    for match in ranked:
        explains = bool(whole) and match.delta_ns * whole > 0 and abs(sum_ns) < ENOUGH * abs(whole)
        sum_ns += match.delta_ns if explains else 0.0
        rows.append(_row(match, whole, explains))
    return {
        "a_ns": sum(layer.mean_ns for match in ranked for layer in match.a),
        "b_ns": sum(layer.mean_ns for match in ranked for layer in match.b),
        "delta_ns": whole,
        "rows": rows,
    }


def kind(layer: Layer) -> tuple[str, tuple[int, ...]]:
    """Type and shape without what frameworks merely write differently: case, number of axes, order of axes."""
    plain = re.sub(r"(\dd)?(v\d+)?$", "", re.sub(r"[^a-z0-9]", "", layer.type.casefold()))
    return _SYNONYMS.get(plain, plain), tuple(sorted(layer.shape))


def _row(match: Matched, whole: float, explains: bool) -> dict[str, Any]:
    sides = {"a": match.a, "b": match.b}
    return {
        **{key: [layer.name for layer in layers] for key, layers in sides.items()},
        "type": (match.a or match.b)[0].type,
        "shape": list((match.a or match.b)[0].shape),
        "how": match.how,
        **{f"{key}_ns": sum(layer.mean_ns for layer in layers) for key, layers in sides.items()},
        "delta_ns": match.delta_ns,
        "share": match.delta_ns / whole if whole else None,
        "explains": explains,
    }


def _by_name(a: Sequence[Layer], b: Sequence[Layer]) -> list[tuple[int, int]]:
    """Places of layers with the same name, the first with the first, the second with the second."""
    places = {name: place for place, name in enumerate(numbered(layer.name for layer in b))}
    named = ((place, places.get(name)) for place, name in enumerate(numbered(layer.name for layer in a)))
    return [(one, other) for one, other in named if other is not None]


def numbered(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Each name with how often it has come so far: the second ``relu`` is another one than the first."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name, seen[name]


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many of the pairs, which increase in the first place, as increase in the second, too."""
    tails: list[int] = []
    lasts: list[int] = []
    before: list[int | None] = []
    for place, (_, other) in enumerate(pairs):
        at = bisect_left(tails, other)
        before.append(lasts[at - 1] if at else None)
        tails[at : at + 1], lasts[at : at + 1] = [other], [place]
    found: list[tuple[int, int]] = []
    here = lasts[-1] if lasts else None
    while here is not None:
        found.append(pairs[here])
        here = before[here]
    return found[::-1]


def _align_gap(a: Sequence[Layer], b: Sequence[Layer]) -> Iterator[Matched]:
    """Layers between two matches: by type and shape, in order; what then stands opposite each other is a block."""
    ones, others = [kind(layer) for layer in a], [kind(layer) for layer in b]
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, ones, others, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (
                Matched((one,), (other,), "type and shape") for one, other in zip(a[a0:a1], b[b0:b1], strict=True)
            )
        elif tag == "replace":
            yield Matched(tuple(a[a0:a1]), tuple(b[b0:b1]), "block")
        else:
            yield from (Matched((layer,), (), "only a") for layer in a[a0:a1])
            yield from (Matched((), (layer,), "only b") for layer in b[b0:b1])
