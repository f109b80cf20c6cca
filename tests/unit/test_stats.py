"""Wilson's interval against values that others published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlharness.stats import bootstrap_interval, mean_interval, wilson_interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_it_holds_the_share_and_stays_a_share(counts: tuple[int, int]) -> None:
    successes, n = counts
    low, high = wilson_interval(successes, n)
    assert 0.0 <= low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= high <= 1.0
    mirrored = wilson_interval(n - successes, n)
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_more_samples_make_it_narrower_and_a_larger_z_wider() -> None:
    widths = [high - low for low, high in (wilson_interval(9 * n, 10 * n) for n in (1, 10, 100))]
    assert widths == sorted(widths, reverse=True)
    assert wilson_interval(9, 10, z=2.6)[0] < wilson_interval(9, 10)[0]


def test_nothing_is_known_without_samples() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_the_interval_of_a_mean_is_the_usual_one() -> None:
    """For many samples the bootstrap agrees with the normal approximation."""
    values = np.random.default_rng(5).normal(10, 2, 2000)
    interval = mean_interval(values)
    assert interval is not None
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.015)
    assert interval == mean_interval(values)


def test_one_sample_has_no_interval() -> None:
    assert bootstrap_interval(1, lambda drawn: 1.0) is None
    assert mean_interval([3.0]) is None


def test_all_draws_at_once_are_the_same_draws() -> None:
    values = np.random.default_rng(5).normal(10, 2, 50)
    one_by_one = bootstrap_interval(50, lambda drawn: float(values[drawn].mean()))
    assert bootstrap_interval(50, lambda drawn: values[drawn].mean(axis=1), at_once=True) == pytest.approx(one_by_one)


def test_many_samples_are_drawn_in_portions() -> None:
    shapes = []

    def mean(drawn: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> object:
        shapes.append(drawn.shape)
        return drawn.mean(axis=1)

    assert bootstrap_interval(400_000, mean, rounds=5, at_once=True) is not None
    assert shapes == [(2, 400_000), (2, 400_000), (1, 400_000)]


def test_draws_without_a_figure_are_left_out() -> None:
    assert bootstrap_interval(3, lambda drawn: float("nan")) is None
    assert bootstrap_interval(3, lambda drawn: float("nan") if drawn[0] else 2.0) == (2.0, 2.0)
