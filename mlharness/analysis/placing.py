"""Which layer, and which call of the model, each operator and each kernel of a trace stands under.

Parents are followed for all spans at once, so that a million of them take a fraction of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness.trace.spans import Integers

OTHER, PREDICT, CALL, OPERATOR, PRIMITIVE, KERNEL = range(6)
"""What a span is: a call of the model, a framework's call, an operator, a primitive, a GPU kernel."""

_WHAT = f"""
    SELECT id, parent, CASE
        WHEN level = 'model' AND kind = 'predict' THEN {PREDICT}
        WHEN level = 'framework' AND kind = 'call' THEN {CALL}
        WHEN level = 'framework' THEN {OPERATOR}
        WHEN level = 'library' THEN {PRIMITIVE}
        WHEN level = 'system' AND kind = 'kernel' THEN {KERNEL}
        ELSE {OTHER} END AS what
    FROM spans ORDER BY id
"""  # noqa: S608  # numbers of this module


@dataclass(frozen=True)
class Placed:
    """Ids, int64 [n]: of the spans that are layers or kernels, and of what they stand under (0 for nothing)."""

    id: Integers
    call: Integers
    layer: Integers
    kernel: Any
    """bool [n]: a kernel, else a layer; a layer stands under itself."""
    on_gpu: bool
    """Kernels are a GPU's, else the library's primitives."""


def place(database: Any) -> Placed:
    """Find layers and kernels in ``spans``.

    A layer is an operator under no other operator. Kernels are a GPU's where there are any, else the outermost
    primitives of the library.
    """
    found = database.execute(_WHAT).fetchnumpy()
    ids, what = found["id"].astype(np.int64), found["what"].astype(np.int64)
    up = _rows(ids, found["parent"].astype(np.int64))
    above = np.where(up >= 0, what[up], OTHER)
    layers = (what == OPERATOR) & (above != OPERATOR)
    on_gpu = bool((what == KERNEL).any())
    kernels = what == KERNEL if on_gpu else (what == PRIMITIVE) & (above != PRIMITIVE)
    rows = np.flatnonzero(layers | kernels)
    return Placed(
        id=ids[rows],
        call=_ancestor(rows, up, what == PREDICT, ids),
        layer=_ancestor(rows, up, layers, ids),
        kernel=kernels[rows],
        on_gpu=on_gpu,
    )


def _rows(ids: Integers, parents: Integers) -> Integers:
    """The row of each parent, -1 for none."""
    if not len(ids):
        return parents
    rows: Integers = np.minimum(np.searchsorted(ids, parents), len(ids) - 1)
    return np.where((parents > 0) & (ids[rows] == parents), rows, -1)


def _ancestor(rows: Integers, up: Integers, wanted: Any, ids: Integers) -> Integers:
    """The id of the nearest wanted span at or above each of the rows, 0 for none."""
    place = rows.copy()
    while True:
        climbing = (place >= 0) & ~wanted[place]
        if not climbing.any():
            return np.where(place >= 0, ids[place], 0)
        place[climbing] = up[place[climbing]]
