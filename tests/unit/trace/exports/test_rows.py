"""Rows of a trace, and their tracks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from mlharness.errors import UserError
from mlharness.trace.exports.rows import Placed, Trace, Track, place, read_trace


def by_track(trace: Trace) -> dict[Track, list[Placed]]:
    found: dict[Track, list[Placed]] = {}
    for placed in place(trace.rows):
        found.setdefault(placed.track, []).append(placed)
    return found


def test_rows_are_in_order_outer_before_inner(trace: Trace) -> None:
    starts = [row.shown_ns for row in trace.rows]
    assert starts == sorted(starts)
    place_of = {row.id: place_ for place_, row in enumerate(trace.rows)}
    nested = [row for row in trace.rows if row.parent and row.parentage != "launched"]
    assert len(nested) > 50
    assert all(place_of[row.parent] < place_of[row.id] for row in nested)


def test_a_span_without_a_thread_is_drawn_on_its_parents(trace: Trace) -> None:
    primitives = [row for row in trace.rows if row.level == "library"]
    assert primitives
    assert {row.thread for row in primitives} == {1001}


@pytest.mark.parametrize("name", ["trace", "overlapping"])
def test_spans_of_a_track_nest(name: str, request: pytest.FixtureRequest) -> None:
    trace: Trace = request.getfixturevalue(name)
    tracks = by_track(trace)
    assert sum(map(len, tracks.values())) == len(trace.rows)
    for spans in tracks.values():
        open_: list[int] = []
        for placed in spans:
            while open_ and open_[-1] <= placed.start_ns:
                open_.pop()
            assert not open_ or placed.end_ns <= open_[-1]
            assert 0 <= placed.row.end_ns - placed.end_ns <= 4_000
            assert 0 <= placed.start_ns - placed.row.start_ns <= 2_000
            open_.append(placed.end_ns)


def test_queries_that_overlap_have_lanes(overlapping: Trace) -> None:
    lanes = {track for track in by_track(overlapping) if track.what == "queries"}
    assert len(lanes) > 1
    assert {track.label for track in lanes} >= {"queries", "queries (2)"}
    queries = [row for row in overlapping.rows if row.name == "query"]
    assert any(first.end_ns > second.start_ns for first, second in pairwise(queries)), "else it shows nothing"


def test_a_run_without_a_trace(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no trace") as caught:
        read_trace(tmp_path)
    assert "--trace" in caught.value.remedy


def test_a_file_that_is_cut_off(run: Path, tmp_path: Path) -> None:
    whole = (run / "spans.parquet").read_bytes()
    (tmp_path / "spans.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"spans\.parquet cannot be read"):
        read_trace(tmp_path)
