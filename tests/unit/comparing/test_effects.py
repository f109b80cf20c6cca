"""The statistics of comparisons, held against SciPy and against runs that were drawn."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import optimize, stats

from mlharness.comparing.effects import Effect, geometric_mean, independent, paired
from mlharness.stats import t_quantile, t_tail
from tests.unit.comparing.making import noisy

Test = Callable[[Sequence[float], Sequence[float]], Effect]


@pytest.mark.parametrize("df", [1, 2, 3.3, 4, 6, 8.7, 12, 30, 1000])
def test_students_t_is_scipys(df: float) -> None:
    for t in (-3.0, -0.5, 0.0, 0.1, 1.0, 2.5, 10.0, 40.0):
        assert t_tail(t, df) == pytest.approx(stats.t.sf(t, df), abs=1e-9)
    for share in (0.025, 0.5, 0.6, 0.8, 0.975, 0.9995):
        assert t_quantile(share, df) == pytest.approx(stats.t.ppf(share, df), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_independent_runs_are_compared_as_scipy_does(seed: int) -> None:
    a, b = noisy(7, 0.02, seed), noisy(5 + seed, 0.08, seed + 100, 1.1)
    ours = independent(a, b)
    theirs = stats.ttest_ind(np.log(b), np.log(a), equal_var=False)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-6)
    assert ours.df == pytest.approx(theirs.df)
    low, high = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((math.exp(low), math.exp(high)), rel=1e-9)
    assert ours.ratio == pytest.approx(geometric_mean(b) / geometric_mean(a))


@pytest.mark.parametrize("confidence", [0.95, 0.975])
def test_pairs_are_compared_as_scipy_does(confidence: float) -> None:
    a, b = noisy(7, 0.02, 1), noisy(7, 0.02, 2, 1.03)
    ours, theirs = paired(a, b, confidence), stats.ttest_rel(np.log(b), np.log(a))
    low, high = theirs.confidence_interval(confidence)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-6)
    assert (ours.low, ours.high) == pytest.approx((math.exp(low), math.exp(high)), rel=1e-9)


@pytest.mark.parametrize(
    ("df", "confidence", "within"), [(4, 0.95, 0.02), (6, 0.95, 0.01), (12, 0.95, 0.01), (4, 0.99, 0.06)]
)
def test_the_smallest_effect_is_nearly_the_exact_one(df: int, confidence: float, within: float) -> None:
    needed = stats.t.ppf((1 + confidence) / 2, df)
    exact = optimize.brentq(lambda shift: stats.nct.sf(needed, df, shift) - 0.8, 0.1, 12)
    logs = np.random.default_rng(0).normal(0, 0.01, df + 1)
    error = np.std(logs, ddof=1) / math.sqrt(df + 1)
    found = paired([1.0] * (df + 1), list(np.exp(logs)), confidence)
    assert math.log1p(found.smallest) == pytest.approx(exact * error, rel=within)


def test_the_unit_changes_nothing() -> None:
    a, b = noisy(6, 0.05, 3), noisy(6, 0.05, 4)
    for compare in (independent, paired):
        one, other = compare(a, b), compare([1e6 * value for value in a], [1e6 * value for value in b])
        assert (one.ratio, one.low, one.high, one.p) == pytest.approx((other.ratio, other.low, other.high, other.p))


def test_the_other_way_round_the_interval_is_turned_round() -> None:
    a, b = noisy(6, 0.05, 3), noisy(6, 0.05, 4, 1.2)
    for compare in (independent, paired):
        one, other = compare(a, b), compare(b, a)
        assert (1 / one.high, 1 / one.low) == pytest.approx((other.low, other.high))
        assert one.smallest == pytest.approx(other.smallest)


@pytest.mark.parametrize("compare", [independent, paired])
def test_figures_without_spread(compare: Test) -> None:
    same, other = compare([2.0] * 5, [2.0] * 5), compare([2.0] * 5, [2.2] * 5)
    assert (same.ratio, same.p, same.seen) == (1.0, 1.0, False)
    assert (other.p, other.seen) == (0.0, True)
    assert other.low == pytest.approx(1.1)


def share_seen(compare: Test, factor: float, drift: float, spread: float = 0.02, rounds: int = 2000) -> float:
    """How often 7 and 7 runs in turns are called different, on a machine that drifts by a random walk."""
    draw, seen = random.Random(11), 0  # noqa: S311  # not for secrets
    for _ in range(rounds):
        here = 0.0
        sides: tuple[list[float], list[float]] = ([], [])
        for number in range(7):
            for place in (0, 1) if number % 2 == 0 else (1, 0):
                here += draw.gauss(0, drift)
                sides[place].append(math.exp(here + draw.gauss(0, spread)) * (factor if place else 1))
        seen += compare(sides[0], sides[1]).seen
    return seen / rounds


@pytest.mark.parametrize("compare", [independent, paired])
def test_of_a_hundred_equal_pairs_five_are_called_different(compare: Test) -> None:
    assert 0.035 < share_seen(compare, 1.0, drift=0.0) < 0.06


@pytest.mark.parametrize("compare", [independent, paired])
def test_a_machine_that_drifts_makes_no_false_positives(compare: Test) -> None:
    assert share_seen(compare, 1.0, drift=0.02) < 0.06


def test_pairs_see_more_on_a_machine_that_drifts() -> None:
    assert share_seen(paired, 1.05, drift=0.03, spread=0.01) > 0.8
    assert share_seen(independent, 1.05, drift=0.03, spread=0.01) < 0.6


def test_the_smallest_effect_is_seen_in_four_of_five_cases() -> None:
    # seven logarithms with the standard deviation of the differences that are drawn below
    spread = 0.02 * math.sqrt(2) / statistics.stdev(range(-3, 4))
    expected = paired([1.0] * 7, [math.exp(place * spread) for place in range(-3, 4)])
    assert 0.75 < share_seen(paired, 1 + expected.smallest, drift=0.0) < 0.86
