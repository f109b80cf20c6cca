"""Two instances compute at the same time, and the primitives tell no thread: their operators are found all the same."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from mlharness.trace.levels import FRAMEWORK, LIBRARY, MODEL
from mlharness.trace.spans import Spans
from tests.unit.trace.making import one_tree

GRAPH = (
    ("aten::mkldnn_convolution", ("reorder", "convolution", "reorder"), "8x8"),
    ("aten::relu_", (), ""),
    ("aten::mkldnn_convolution", ("reorder", "convolution"), "4x4"),
    ("aten::add", (), ""),
    ("aten::max_pool2d", ("pooling",), "4x4"),
    ("aten::thnn_conv2d", (), ""),
    ("aten::mkldnn_convolution", ("reorder", "convolution", "reorder"), "8x8"),
    ("aten::addmm", ("inner_product",), "1x10"),
)
"""Operators, their primitives, and the shapes of these."""


def compute(spans: Spans, primitives: Spans, thread: int, calls: int, random: Random) -> int:
    """What one thread does; returns the number of its primitives, whose attributes do not tell the thread."""
    time, count = random.randrange(1_000_000), 0
    for _ in range(calls):
        begin = time
        for kind, computed, shape in GRAPH:
            start = time + 2_000
            time = start + random.randrange(20_000, 60_000)
            for primitive in computed:
                took = random.randrange(5_000, 90_000)
                primitives.add(LIBRARY, "jit", time, took, kind=primitive, attributes=f'{{"shape":"{shape}"}}')
                time += took + random.randrange(1_500, 9_000)
                count += 1
            spans.add(FRAMEWORK, kind, start, time - start, kind=kind, thread=thread)
        spans.add(MODEL, "predict", begin, time + 1_000 - begin, thread=thread)
        time += random.randrange(5_000, 400_000)
    return count


@pytest.mark.parametrize("seed", range(5))
def test_most_are_placed_and_none_wrongly(seed: int) -> None:
    random, spans, primitives = Random(seed), Spans("operators"), Spans("primitives")  # noqa: S311  # a test's
    first = compute(spans, primitives, 1, 100, random)
    compute(spans, primitives, 2, 100, random)
    table = one_tree(spans, primitives, tolerance_ns=2_000)
    rows = np.flatnonzero(table.level == LIBRARY)
    truth = np.where(np.arange(len(rows)) < first, 1, 2)
    placed = table.parent[rows] > 0
    found = table.thread[table.parent[rows][placed] - 1]
    assert placed.mean() > 0.9  # real graphs have more shapes, and fewer coincidences
    assert (found == truth[placed]).all()
    assert (table.level[table.parent[rows][placed] - 1] == FRAMEWORK).all()


def test_what_shows_nothing_settles_nothing() -> None:
    """Three calls are too few to learn from, and both threads do the same at the same time."""
    spans, primitives = Spans("operators"), Spans("primitives")
    for thread in (1, 2):
        compute(spans, primitives, thread, 3, Random(7))  # noqa: S311  # a test's
    table = one_tree(spans, primitives, tolerance_ns=2_000)
    assert not table.parent[table.level == LIBRARY].any()
