"""Early stopping's arithmetic against LoadGen's own verdicts, and against the binomial distribution added up."""

from __future__ import annotations

import re
from fractions import Fraction
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.stats import binomial_tail, late_allowed, passes_early_stopping, queries_needed
from tests.unit.timed_loadgen import System, TimedTest


@given(st.integers(1, 300), st.data(), st.sampled_from([Fraction(1, 100), Fraction(1, 10), Fraction(1, 2)]))
def test_the_tail_is_the_sum_of_its_terms(n: int, data: st.DataObject, share: Fraction) -> None:
    most = data.draw(st.integers(0, int(share * n)))
    exact = sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(most + 1))
    assert binomial_tail(most, n, float(share)) == pytest.approx(float(exact), rel=1e-9)


@given(st.integers(0, 3000), st.sampled_from([0.5, 0.9, 0.97, 0.99, 0.999]))
def test_the_fewest_queries_are_the_fewest(late: int, percentile: float) -> None:
    needed = queries_needed(late, percentile)
    assert passes_early_stopping(needed, late, percentile)
    assert not passes_early_stopping(needed - 1, late, percentile)
    assert late_allowed(needed, percentile) == late
    assert late_allowed(needed - 1, percentile) == late - 1


def test_long_runs_are_quick_to_judge() -> None:
    """Thirty million queries: no loop over them."""
    needed = queries_needed(300_000, 0.99)
    assert needed == pytest.approx(30_127_000, rel=1e-4)
    assert late_allowed(needed, 0.99) == 300_000


@pytest.mark.parametrize(
    ("scenario", "percentile"), [("SingleStream", 0.9), ("SingleStream", 0.5), ("MultiStream", 0.99)]
)
@pytest.mark.parametrize("queries", [5, 700, 5000])
def test_streams_need_and_discard_as_many_as_loadgen_says(
    tmp_path: Path, scenario: str, percentile: float, queries: int
) -> None:
    kind = "single_stream" if scenario == "SingleStream" else "multi_stream"
    settings = {"min_query_count": queries, f"{kind}_target_latency_percentile": percentile}
    log = TimedTest(scenario, System(), {**settings, f"{kind}_expected_latency_ns": 100_000}).run(tmp_path / "run")
    told, count = str(log.values["early_stopping_result"]), int(log.values["result_query_count"])
    if log.values["early_stopping_met"]:
        assert late_allowed(count, percentile) - 1 == stated(r"discard (\d+) highest", told)
        assert queries_needed(1, percentile) == stated(r"at least (\d+) queries", told)
    else:
        assert queries_needed(1, percentile) == stated(r"process at least (\d+) queries", told) > count


@pytest.mark.parametrize("late_every", [0, 20, 12])
def test_server_needs_as_many_more_as_loadgen_says(tmp_path: Path, late_every: int) -> None:
    settings = {"server_target_latency_percentile": 0.9, "server_target_latency_ns": 200_000_000}
    system = System(late_every=late_every, late_s=0.3)
    few = {"min_query_count": 120 if late_every else 30, "server_target_qps": 1000}
    log = TimedTest("Server", system, {**settings, **few}).run(tmp_path / "run")
    count, late = int(log.values["result_query_count"]), int(log.values["result_overlatency_query_count"])
    passed = log.values["early_stopping_met"]
    assert passes_early_stopping(count, late, 0.9) == passed
    if not passed:
        more = stated(r"at least (\d+) more queries", str(log.values["early_stopping_result"]))
        assert queries_needed(late, 0.9) == count + more


def stated(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found is not None, text
    return int(found[1])
