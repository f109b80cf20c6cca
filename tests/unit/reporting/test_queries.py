"""Latencies of single queries, from a trace: every query is counted, and a page stays small."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.errors import UserError
from mlharness.reporting.files import read_files
from mlharness.reporting.page import Section
from mlharness.reporting.queries import BINS, POINTS, STRETCHES, read_latencies
from mlharness.reporting.rendering import safe_json
from mlharness.reporting.run import sections
from tests.traces import Delay, make_run

QUERY_MS = 1.035
"""5 us gathering, 1000 us predict, 20 us postprocessing, 10 us completing."""


def test_few_queries_are_shown_one_by_one(tmp_path: Path) -> None:
    found = read_latencies(make_run(tmp_path, queries=20, delays={7: Delay(predict=2_000_000)}))
    assert found.count == 20
    assert [point["query"] for point in found.points] == list(range(20))
    assert found.points[0] == {"query": 0, "s": 0.0, "ms": QUERY_MS}
    assert found.points[7]["ms"] == QUERY_MS + 2
    assert found.points[8]["s"] == pytest.approx((8 * QUERY_MS + 2) / 1e3)
    assert len(found.bins) == 9  # twice the root of 20
    assert [found.bins[place]["count"] for place in (0, -1)] == [19, 1]
    assert (found.bins[0]["low"], found.bins[-1]["high"]) == (QUERY_MS, pytest.approx(QUERY_MS + 2))
    assert found.marks["p50"] == found.marks["p90"] == QUERY_MS


def test_many_queries_are_brought_together(tmp_path: Path) -> None:
    queries = POINTS + 500
    found = read_latencies(
        make_run(tmp_path, queries=queries, delays={1234: Delay(predict=9_000_000)}, levels=("application",))
    )
    assert found.count == sum(one["count"] for one in found.bins) == queries
    assert len(found.bins) == BINS
    assert 0 < len(found.points) <= STRETCHES
    assert max(point["largest"] for point in found.points) == pytest.approx(QUERY_MS + 9)
    assert {point["median"] for point in found.points} == {QUERY_MS}
    assert len(safe_json(found.points)) < 50_000


def test_queries_of_one_latency_are_one_bin(tmp_path: Path) -> None:
    [only] = read_latencies(make_run(tmp_path, queries=3)).bins
    assert only["count"] == 3


def test_offline_has_batches(tmp_path: Path) -> None:
    directory = make_run(tmp_path, queries=1, samples=12, batch=4, scenario="Offline")
    assert read_latencies(directory, "batch").count == 3
    [latency] = [part for part in sections(read_files(directory)) if part.title == "Latency"]
    assert "3 batches" in latency.html


def test_the_page_says_that_the_traced_run_was_another(tmp_path: Path) -> None:
    latency = of(make_run(tmp_path, queries=9))
    assert "The 9 queries below are of the shorter traced run after it, which was 10.0 % slower" in " ".join(
        latency.html.split()
    )
    assert latency.html.count('<figure class="chart">') == 3


def test_without_a_trace_there_are_percentiles_only(tmp_path: Path) -> None:
    directory = make_run(tmp_path, change=lambda result: result.update(trace=None))
    assert of(directory).html.count('<figure class="chart">') == 1
    (directory / "spans.parquet").unlink()
    with pytest.raises(UserError, match="has no trace"):
        read_latencies(directory)


def test_a_damaged_trace_is_told(tmp_path: Path) -> None:
    directory = make_run(tmp_path)
    (directory / "spans.parquet").write_bytes(b"PAR1 cut")
    assert "spans.parquet cannot be read" in of(directory).html


def of(directory: Path) -> Section:
    """The section about latency."""
    return next(part for part in sections(read_files(directory)) if part.title == "Latency")
