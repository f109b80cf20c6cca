"""Queries, batches and calls: from a runner's journals to spans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlharness.trace.files import BATCHES
from mlharness.trace.queries import query_spans, read_queries, sampled, schedule_delays
from mlharness.trace.spans import SpanTable
from tests.unit.trace.journals import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def tree(table: SpanTable) -> list[tuple[str, str, int, int, int]]:
    """Name, parent's name, query, start and duration of each span, in order of start."""
    rows = sorted(range(len(table)), key=lambda row: (table.start[row], -table.duration[row], row))
    return [
        (
            table.text("name", row),
            table.text("name", int(table.parent[row]) - 1) if table.parent[row] else "-",
            int(table.query[row]),
            int(table.start[row]),
            int(table.duration[row]),
        )
        for row in rows
    ]


def test_a_query_is_told_from_schedule_to_completion(run: Run) -> None:
    run.issue(1_000, [7])
    run.batch(0, (1_200, 1_300, 1_700, 1_800, 1_900), [7])
    (run.logs / "mlperf_log_trace.json").write_text('{"query_seq":0,"x":"a"b", "issue_start_ns":400, "y":1}\n')
    assert tree(run.spans([("load", 0), ("measure", 500)])) == [
        ("run", "-", -1, 0, 10_000),
        ("load", "run", -1, 0, 500),
        ("measure", "run", -1, 500, 9_500),
        ("query", "measure", 0, 600, 1_300),
        ("schedule", "query", 0, 600, 400),
        ("queue", "query", 0, 1_000, 200),
        ("batch", "query", 0, 1_200, 700),
        ("gather", "batch", 0, 1_200, 100),
        ("predict", "batch", 0, 1_300, 400),
        ("postprocess", "batch", 0, 1_700, 100),
        ("complete", "batch", 0, 1_800, 100),
    ]


def test_a_call_tells_its_batch_its_instance_and_some_samples(run: Run) -> None:
    ids = list(range(20))
    run.issue(1_000, ids)
    run.batch(3, (1_200, 1_300, 1_700, 1_800, 1_900), ids, thread=33)
    table = run.spans()
    row = next(row for row in range(len(table)) if table.text("name", row) == "predict")
    facts = json.loads(table.text("attributes", row))
    assert facts == {"batch": 20, "instance": 3, "samples": [100, 101, 102, 103, 104, 105, 106, 107]}
    assert table.thread[row] == 33


def test_a_query_of_several_batches_ends_with_the_last(run: Run) -> None:
    run.issue(1_000, [1, 2, 3, 4])
    run.batch(0, (1_100, 1_110, 1_120, 1_130, 1_140), [1, 2])
    run.batch(1, (1_105, 1_115, 1_190, 1_195, 1_200), [3, 4], thread=12)
    found = [span for span in tree(run.spans()) if span[0] in ("query", "queue", "batch")]
    assert found == [
        ("query", "-", 0, 1_000, 200), ("queue", "query", 0, 1_000, 100),
        ("batch", "query", 0, 1_100, 40), ("batch", "query", 0, 1_105, 95),
    ]  # fmt: skip


def test_a_batch_of_several_queries_stands_under_the_first_and_is_named_by_the_others(run: Run) -> None:
    for number, when in enumerate((1_000, 1_010, 1_020)):
        run.issue(when, [number])
    run.batch(0, (1_100, 1_110, 1_120, 1_130, 1_140), [0, 1, 2])
    table = run.spans()
    batches = [row for row in range(len(table)) if table.text("name", row) == "batch"]
    shared = [row for row in range(len(table)) if table.text("name", row) == "shared batch"]
    assert [int(table.query[row]) for row in batches] == [0]
    assert [int(table.query[row]) for row in shared] == [1, 2]
    number = json.loads(table.text("attributes", batches[0]))["batch"]
    assert {table.text("attributes", row) for row in shared} == {f'{{"batch":{number}}}'}
    assert all((table.start[row], table.duration[row]) == (1_100, 40) for row in shared)


def test_an_id_may_be_used_again_when_its_sample_was_completed(run: Run) -> None:
    for number in range(3):
        run.issue(1_000 * number, [5])
        run.batch(0, tuple(1_000 * number + step for step in (10, 20, 30, 40, 50)), [5])
    queries = [span for span in tree(run.spans()) if span[0] == "query"]
    assert [(query, start, duration) for _, _, query, start, duration in queries] == [
        (0, 0, 50), (1, 1_000, 50), (2, 2_000, 50),
    ]  # fmt: skip


def test_a_batch_that_begins_when_its_query_is_issued_has_no_queue(run: Run) -> None:
    """SingleStream: both have the worker's own stamp."""
    run.issue(1_000, [1])
    run.batch(0, (1_000, 1_110, 1_120, 1_130, 1_140), [1])
    assert ("batch", "query", 0, 1_000, 140) in tree(run.spans())
    assert "queue" not in {name for name, *_ in tree(run.spans())}


def test_a_query_that_nobody_answered_is_left_out(run: Run) -> None:
    run.issue(1_000, [1])
    run.issue(2_000, [2])
    run.batch(0, (2_100, 2_110, 2_120, 2_130, 2_140), [2])
    assert [query.number for query in read_queries(run.folder, run.logs).queries] == [1]


def test_what_did_not_fit_is_counted(tmp_path: Path) -> None:
    run = Run(tmp_path, capacity=2)
    for number in range(3):
        run.issue(1_000 * number, [number])
        run.batch(0, tuple(1_000 * number + step for step in (10, 20, 30, 40, 50)), [number])
    recorded = read_queries(run.folder, run.logs)
    # a query, its id, a batch, and from the second batch on two integers of samples each time
    assert recorded.dropped == 1 + 1 + 1 + 4
    assert [query.number for query in recorded.queries] == [0]
    assert run.spans()  # and the rest is told


def test_a_folder_without_journals_is_an_empty_run(tmp_path: Path) -> None:
    recorded = read_queries(tmp_path, tmp_path / "loadgen")
    assert (recorded.queries, recorded.dropped) == ([], 0)
    assert len(query_spans(recorded, [], 0)) == 0


def test_a_journal_that_was_cut_off_leaves_the_others(run: Run) -> None:
    run.issue(1_000, [1])
    run.batch(0, (1_200, 1_300, 1_700, 1_800, 1_900), [1])
    run.batch(1, (1_200, 1_300, 1_700, 1_800, 1_900), [1])
    (run.folder / BATCHES.format(1)).write_bytes(b"cut")
    (query,) = read_queries(run.folder, run.logs).queries
    assert [batch.instance for batch in query.batches] == [0]


def test_schedule_delays_are_found_in_what_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    assert schedule_delays(path) == {}
    path.write_bytes(
        b'{"name":"Sample","args":{"query_seq":0,"seq":0,"issue_start_ns":120,"complete_ns":5}},\n'
        b'{"name":"bad "quotes"","args":{"query_seq":12,"seq":0,"issue_start_ns":7}},\n\xff\xfe{"query_seq":13,'
    )
    assert schedule_delays(path) == {0: 120, 12: 7}


@pytest.mark.parametrize(
    ("every", "first", "kept"),
    [(1, 0, [0, 1, 2, 3, 4]), (2, 0, [0, 2, 4]), (1, 2, [0, 1]), (2, 2, [0, 2]), (9, 9, [0])],
)
def test_queries_are_sampled(run: Run, every: int, first: int, kept: list[int]) -> None:
    for number in range(5):
        run.issue(1_000 * number, [number])
        run.batch(0, tuple(1_000 * number + step for step in (10, 20, 30, 40, 50)), [number])
    assert list(sampled(read_queries(run.folder, run.logs).queries, every, first)) == kept
