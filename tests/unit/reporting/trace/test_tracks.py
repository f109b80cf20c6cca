"""Where on the timeline spans are drawn."""

from __future__ import annotations

import pytest

from mlharness.reporting.trace import tracks
from mlharness.reporting.trace.spans import Span, Threads, with_threads
from mlharness.reporting.trace.tracks import places, tracks_of
from mlharness.trace.levels import APPLICATION, FRAMEWORK, LIBRARY, MODEL, SYSTEM

THREADS = Threads({7: "LoadGen", 8: "worker"}, {11: 0, 12: 1})


def span(
    id_: int, level: int, start: int, length: int, *, thread: int = 11, parent: int = 0, alone: bool = False
) -> Span:
    """A span of which only its place matters."""
    return Span(id_, parent, 0, level, f"span{id_}", "kind", start, length, thread, "tracer", alone, None)


def drawn(spans: list[Span]) -> dict[str, list[tuple[int, list[list[int]]]]]:
    """The ids of each group's rows, by level."""
    return {
        group.label: [(lane.level, [[spans[place].id for place in row] for row in lane.rows]) for lane in group.lanes]
        for group in tracks_of(spans, THREADS)
    }


def test_levels_are_lanes_from_the_outside_in() -> None:
    layers = [span(3, FRAMEWORK, 20, 30), span(4, FRAMEWORK, 50, 30)]
    spans = [span(1, APPLICATION, 0, 100), span(2, MODEL, 10, 80), *layers, span(5, LIBRARY, 21, 9)]
    assert drawn(spans) == {"instance 0": [(0, [[1]]), (1, [[2]]), (2, [[3, 4]]), (3, [[5]])]}


def test_a_span_stands_below_the_one_of_its_level_that_it_is_part_of() -> None:
    spans = [span(1, FRAMEWORK, 0, 100), span(2, FRAMEWORK, 0, 100, parent=1), span(3, FRAMEWORK, 5, 5, parent=2)]
    assert drawn(spans) == {"instance 0": [(2, [[1], [2], [3]])]}


def test_what_overlaps_has_rows_of_its_own_and_what_profilers_round_does_not() -> None:
    spans = [span(1, LIBRARY, 0, 10_000), span(2, LIBRARY, 9_000, 10_000), span(3, LIBRARY, 12_000, 10_000)]
    assert drawn(spans) == {"instance 0": [(3, [[1, 2], [3]])]}


def test_queries_come_first_then_instances_then_threads_that_only_ran() -> None:
    spans = [
        span(1, SYSTEM, 0, 10, thread=7, alone=True), span(2, MODEL, 0, 10, thread=12), span(3, MODEL, 0, 10),
        span(4, APPLICATION, 0, 10, thread=0), span(5, SYSTEM, 0, 10, thread=0), span(6, LIBRARY, 0, 10, thread=0),
        span(7, FRAMEWORK, 0, 10, thread=8),
    ]  # fmt: skip
    assert list(drawn(spans)) == ["queries", "instance 0", "instance 1", "worker 8", "device", "tracer", "LoadGen 7"]


def test_a_span_without_a_thread_has_that_of_the_next_one_above_it() -> None:
    spans = [
        span(1, MODEL, 0, 9),
        span(2, FRAMEWORK, 1, 8, thread=0, parent=1),
        span(3, LIBRARY, 2, 3, thread=0, parent=2),
    ]
    assert [one.thread for one in with_threads(spans)] == [11, 11, 11]
    assert [one.thread for one in with_threads([span(4, LIBRARY, 0, 1, thread=0, parent=99)])] == [0]


def test_spans_that_name_each_other_as_parents_have_no_thread() -> None:
    spans = [span(1, LIBRARY, 0, 9, thread=0, parent=2), span(2, LIBRARY, 0, 9, thread=0, parent=1)]
    assert [one.thread for one in with_threads(spans)] == [0, 0]


def test_what_finds_no_row_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "MOST_ROWS", 2)
    spans = [span(number, APPLICATION, number, 100, thread=0) for number in range(5)]
    (group,) = tracks_of(spans, THREADS)
    assert group.lanes[0].hidden == 3
    assert list(places([group])) == [0, 1]


def test_of_too_many_threads_the_first_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "MOST_THREADS", 2)
    groups = tracks_of([span(number, MODEL, 0, 1, thread=100 + number) for number in range(5)], THREADS)
    assert [group.label for group in groups] == ["thread 100", "thread 101"]
