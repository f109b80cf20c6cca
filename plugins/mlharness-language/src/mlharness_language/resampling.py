"""Bootstrap intervals of figures that take a while, or that are asked for often."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlharness.providers import Array
from mlharness.stats import bootstrap_interval

FEW = 8
"""Samples of which a thousand draws repeat each other."""


def interval_of(n: int, statistic: Callable[[Array], float]) -> tuple[float, float] | None:
    """A 95 % bootstrap interval over ``n`` samples; None for fewer than two.

    As :func:`mlharness.stats.bootstrap_interval`, but ``statistic``, the figure over samples of these indices, int64
    [n], is asked once for each different draw of few samples. Their order must mean nothing.
    """
    if not 2 <= n <= FEW:
        return bootstrap_interval(n, statistic)
    draws = np.sort(np.random.default_rng(0).integers(0, n, (1000, n)), axis=1)
    # A draw as one number: of few samples it fits, and numbers are sorted faster than rows.
    _, first, inverse = np.unique(draws @ n ** np.arange(n), return_index=True, return_inverse=True)
    figures = np.array([statistic(draws[place]) for place in first])
    low, high = np.percentile(figures[inverse], (2.5, 97.5))
    return float(low), float(high)
