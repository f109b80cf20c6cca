"""The few statistics that more than one part needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Indices: TypeAlias = npt.NDArray[np.int64]
_DRAWN_AT_ONCE = 1 << 20
"""The most indices of samples that are held in memory, 8 bytes each."""
_MOST_STEPS = 100
"""More than Newton's method takes anywhere: about 6, and about 10 for one degree of freedom."""


def wilson_interval(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval for a proportion, as fractions; 95 % by default.

    It stays inside [0, 1] and is honest for few samples, where the usual normal interval is not.
    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927).
    """
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def bootstrap_interval(
    n: int, statistic: Callable[[Indices], Any], rounds: int = 1000, seed: int = 0, at_once: bool = False
) -> tuple[float, float] | None:
    """A 95 % percentile interval for a figure over ``n`` independent samples; None for fewer than two.

    Args:
        n: how many samples there are.
        statistic: the figure over the samples of these indices, int64 [n], drawn with replacement. NaN where a draw has
            none; such draws are left out.
        rounds: how often they are drawn.
        seed: of the draws, so that the same samples have the same interval.
        at_once: ``statistic`` takes many draws, int64 [draws, n], and gives the figure of each, [draws]: much faster
            for a figure that NumPy computes.

    Source: B. Efron, The Annals of Statistics 7 (1979).
    """
    if n < 2:
        return None
    draw = np.random.default_rng(seed)
    if at_once:
        portions = _portions(rounds, max(1, _DRAWN_AT_ONCE // n))
        figures = np.concatenate([statistic(draw.integers(0, n, (size, n))) for size in portions])
    else:
        figures = np.array([statistic(draw.integers(0, n, n)) for _ in range(rounds)], np.float64)
    figures = figures[~np.isnan(figures)]
    if not figures.size:
        return None
    low, high = np.percentile(figures, (2.5, 97.5))
    return float(low), float(high)


def mean_interval(values: npt.ArrayLike) -> tuple[float, float] | None:
    """:func:`bootstrap_interval` of the mean of ``values``, numbers [n], one of each independent sample."""
    numbers: npt.NDArray[Any] = np.asarray(values, np.float64)
    return bootstrap_interval(len(numbers), lambda drawn: numbers[drawn].mean(axis=-1), at_once=True)


def _portions(total: int, most: int) -> Iterator[int]:
    """``total`` in portions of at most so many."""
    for start in range(0, total, most):
        yield min(most, total - start)


def t_tail(t: float, df: float) -> float:
    """The probability that Student's t with ``df`` > 0 degrees of freedom (any real number) is more than ``t``.

    With t = sqrt(df) tan(angle) the density is a power of a cosine over a bounded angle, so that NumPy's Gauss-Legendre
    quadrature gives it to 1e-8 or better (the tests hold it against SciPy). This much of SciPy is all that the kernel
    needs, and SciPy is larger than everything else that it installs.
    """
    angle = math.atan(abs(t) / math.sqrt(df))
    points, weights = _gauss_legendre()
    inside = float(weights @ np.cos((points + 1) * angle / 2) ** (df - 1)) * angle / 2
    tail = min(0.5, max(0.0, 0.5 - _t_density(0.0, df) * math.sqrt(df) * inside))
    return tail if t >= 0 else 1 - tail


def t_quantile(share: float, df: float) -> float:
    """The t that Student's t with ``df`` degrees of freedom does not exceed with probability ``share``, in (0, 1).

    By Newton's method: the tail is convex, and the normal quantile lies before the root, so that every step is one
    towards it.
    """
    if share < 0.5:
        return -t_quantile(1 - share, df)
    t = max(0.0, NormalDist().inv_cdf(share))
    for _ in range(_MOST_STEPS):
        step = (t_tail(t, df) - (1 - share)) / _t_density(t, df)
        t += step
        if step <= 1e-12 * t:
            break
    return t


def _t_density(t: float, df: float) -> float:
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi * df)
    return scale * math.exp(-(df + 1) / 2 * math.log1p(t * t / df))


@cache
def _gauss_legendre() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Points and weights of the quadrature on [-1, 1], float64 [64] each; more would change no digit."""
    return np.polynomial.legendre.leggauss(64)


def binomial_tail(most: int, n: int, share: float) -> float:
    """The probability of at most ``most`` successes in ``n`` trials that succeed with probability ``share`` each.

    For 0 < share < 1 and 0 <= most <= share * n: below the mean, the terms fall from the largest number of successes
    down, so that few of them count, however large ``n`` is.
    """
    term = math.exp(
        math.lgamma(n + 1) - math.lgamma(most + 1) - math.lgamma(n - most + 1)
        + most * math.log(share) + (n - most) * math.log1p(-share)
    )  # fmt: skip
    total, ratio = term, (1 - share) / share
    for successes in range(most, 0, -1):
        term *= ratio * successes / (n - successes + 1)
        total += term
        if term <= total * 1e-17:
            break
    return total


def passes_early_stopping(queries: int, late: int, percentile: float, confidence: float = 0.99) -> bool:
    """True when so few late queries show that the system meets a latency at the percentile (0 < percentile < 1).

    They do when a system that barely fails to would have had so few only with a probability below 1 - ``confidence``.
    Source: MLPerf inference rules, appendix on early stopping; LoadGen takes the confidence 0.99.
    """
    share = 1 - percentile
    # At or above the mean the probability is about a half, or more: there is no need to add it up.
    return late < share * queries and binomial_tail(late, queries, share) < 1 - confidence


def queries_needed(late: int, percentile: float) -> int:
    """The fewest queries that pass early stopping when ``late`` of them miss the latency."""
    low = high = late + 1
    while not passes_early_stopping(high, late, percentile):
        low, high = high + 1, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if passes_early_stopping(middle, late, percentile) else (middle + 1, high)
    return low


def late_allowed(queries: int, percentile: float) -> int:
    """The most queries that may miss the latency and pass early stopping; -1 when there are too few queries."""
    low, high = -1, int((1 - percentile) * queries)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if passes_early_stopping(queries, middle, percentile) else (low, middle - 1)
    return low
