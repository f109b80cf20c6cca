"""The timeline's data: every span of its windows, in columns, within a budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.reporting.trace.facts import LONGEST, facts_of, micro, size
from mlharness.reporting.trace.flame import read_flame
from mlharness.reporting.trace.hues import KINDS, TAKEN, hues_of
from mlharness.reporting.trace.timeline import DOTS, Timeline, dots, read_timeline
from mlharness.reporting.trace.windows import Units
from mlharness.trace.parquet import open_trace
from tests.traces import COMPLETE, GATHER, POSTPROCESS, Delay, make_run

COLUMNS = ("start", "duration", "name", "kind", "fact", "hue", "parent", "query")


def timeline_of(run: Path, budget: int = 4_000_000) -> Timeline:
    """The timeline of a run directory."""
    with open_trace(run) as database:
        return read_timeline(database, hues_of(read_flame(database)), budget)


def spans_of(timeline: Timeline, place: int = 0) -> list[dict[str, Any]]:
    """The spans of a window, with texts in place of their numbers."""
    document = json.loads(json.dumps(timeline.document))
    window = document["windows"][place]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*(window[name] for name in COLUMNS), strict=True)]
    for row in rows:
        row["name"], row["kind"] = document["texts"][row["name"]], document["texts"][row["kind"]]
        row["fact"] = dict(document["facts"][row["fact"]])
        row["parent"] = rows[row["parent"]]["name"] if row["parent"] >= 0 else ""
    return rows


def test_a_span_has_its_times_its_parent_and_its_shapes(tmp_path: Path) -> None:
    (conv,) = (row for row in spans_of(timeline_of(make_run(tmp_path))) if row["name"] == "conv2")
    assert (conv["start"], conv["duration"], conv["kind"], conv["parent"], conv["hue"], conv["query"]) == (
        GATHER + 50_000 + 400_000 + 100_000, 300_000, "Conv", "model_run", KINDS, 2,
    )  # fmt: skip
    assert conv["fact"]["outputs"] == "float32[1,16,32,32]"
    assert conv["fact"]["memory"] == "64 KiB"


def test_everything_of_a_query_is_there_once_and_in_rows_that_add_up(tmp_path: Path) -> None:
    timeline = timeline_of(make_run(tmp_path))
    window = timeline.document["windows"][0]
    rows = sum(sum(lane["rows"]) for group in window["groups"] for lane in group["lanes"])
    assert rows == len(window["start"]) == timeline.drawn[0].count == 20
    assert window["length"] == 1_000_000 + GATHER + POSTPROCESS + COMPLETE
    assert [group["label"] for group in window["groups"]] == ["queries", "instance 0"]
    assert (timeline.shown, window["left"]) == (5, "")


def test_when_a_thread_was_preempted_is_drawn(tmp_path: Path) -> None:
    run = make_run(tmp_path, delays={3: Delay(preempted=700_000)})
    (taken,) = (row for row in spans_of(timeline_of(run), 1) if row["hue"] == TAKEN)
    assert (taken["duration"], taken["kind"]) == (700_000, "preempted")


def test_other_queries_at_the_same_time_are_drawn_and_told_apart(tmp_path: Path) -> None:
    run = make_run(tmp_path, scenario="Server", queries=6, instances=2, interval_ns=400_000)
    timeline = timeline_of(run)
    window = timeline.document["windows"][0]
    assert window["focus"] >= 0
    assert len({query for query in window["query"] if query >= 0}) > 1


def test_a_budget_leaves_out_the_shortest_spans_and_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=40)
    whole, small = timeline_of(run), timeline_of(run, 8_000)
    sizes = [len(json.dumps(timeline.document, separators=(",", ":"))) for timeline in (whole, small)]
    assert sizes[1] < 12_000 < sizes[0]
    first = small.drawn[-1]
    assert 0 < len(first.spans) < first.count == 200
    least = min(span.length for span in first.spans)
    assert f"{first.count - len(first.spans)} more are not drawn" in first.left
    assert least >= 10_000


def test_long_texts_are_cut(tmp_path: Path) -> None:
    assert facts_of(json.dumps({"shape": "x" * 1_000})) == (("shape", "x" * (LONGEST - 1) + "…"),)


@pytest.mark.parametrize("attributes", [None, "", "no JSON", "[1]", '"text"'])
def test_attributes_that_are_no_object_tell_nothing(attributes: str | None) -> None:
    assert facts_of(attributes) == ()


def test_attributes_are_told_with_their_units() -> None:
    told = {"flops": 4_718_592, "bytes": 140_352, "estimated": True, "cpu": 1, "inputs": [["float32", [1, 3]]],
            "wait_ns": 1500, "samples": [1, 2], "nothing": None, "ok": True, "outputs": [["float32", "x"]]}  # fmt: skip
    assert dict(facts_of(json.dumps(told))) == {
        "flops": "~4.72 MFLOP", "bytes": "~137 KiB", "cpu": "1", "inputs": "float32[1,3]", "wait": "1.500 µs",
        "samples": "[1,2]", "ok": "true", "outputs": '[["float32","x"]]',
    }  # fmt: skip


def test_microseconds_are_written_with_their_letter() -> None:
    assert micro("up to 50 us, us; 7 use") == "up to 50 µs, us; 7 use"


def test_sizes_are_told_in_the_unit_in_which_they_are_read() -> None:
    assert [size(value) for value in (0, 1023, 1024, 3 << 20, 5 << 30)] == ["0 B", "1023 B", "1 KiB", "3 MiB", "5 GiB"]


def test_of_many_queries_the_median_and_the_slowest_of_each_stretch_are_dots() -> None:
    count = 50_000
    lengths = np.full(count, 100)
    lengths[31_415] = 9_999
    units = Units("query", np.arange(count), np.arange(count) * 1_000 + 5, lengths)
    found = list(dots(units))
    assert len(found) <= 2 * DOTS
    assert (31_415_000, 9_999) in found
    assert min(found)[1] == 100


def test_all_queries_are_dots_where_they_are_few(tmp_path: Path) -> None:
    assert len(timeline_of(make_run(tmp_path, queries=9)).document["dots"]) == 9
