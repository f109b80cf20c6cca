"""Single queries against the median one, on runs of which every delay is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import UserError
from mlharness.explaining.queries import Choice, Compared, compare_queries, document
from mlharness.explaining.trees import Node
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import SPANS, write_spans
from mlharness.trace.queries import Batch, Query, Recorded, query_spans
from mlharness.trace.spans import concatenate
from mlharness.trace.tree import with_parents
from mlharness.tracing import with_queries
from tests.traces import Delay, make_run

SLOW = Delay(predict=300_000, preempted=200_000, layers={"conv2": 100_000}, postprocess=40_000)


def extras_of(one: Compared) -> set[tuple[str, str, int]]:
    """Innermost name, reason and nanoseconds."""
    return {(extra.path[-1], extra.why, extra.ns) for extra in one.extras}


def adds_up(one: Compared) -> bool:
    return sum(one.by_reason().values()) + one.overlap_ns == one.extra_ns


def test_extra_time_is_told_where_it_was_spent_and_why(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=9, delays={4: SLOW, 6: Delay(scheduled=50_000)})
    found = compare_queries(run, Choice(slowest=2))
    slowest, late = found.chosen
    assert (found.unit, found.count, found.told) == ("query", 9, True)
    assert (slowest.number, slowest.extra_ns) == (4, 640_000)
    assert extras_of(slowest) == {
        ("model_run", "own", 300_000),
        ("predict", "preempted", 200_000),
        ("conv2", "own", 100_000),
        ("postprocess", "own", 40_000),
    }
    assert slowest.extras[0].path == ("query", "batch", "predict", "model_run")
    assert slowest.by_reason() == {"schedule": 0, "queue": 0, "preempted": 200_000, "blocked": 0, "own": 440_000}
    assert (late.number, late.extra_ns) == (6, 50_000)
    assert extras_of(late) == {("schedule", "schedule", 50_000)}
    assert all(one.overlap_ns == 0 and adds_up(one) for one in found.chosen)


def test_waiting_for_a_worker_is_its_own_reason(tmp_path: Path) -> None:
    # one query each 1.2 ms, of which the second takes 2 ms longer: those behind it wait
    run = make_run(
        tmp_path, queries=9, scenario="Server", interval_ns=1_200_000, delays={1: Delay(layers={"fc": 2_000_000})}
    )
    found = compare_queries(run, Choice(numbers=(2,)))
    (waited,) = found.chosen
    assert waited.by_reason() == {"schedule": 0, "queue": waited.extra_ns, "preempted": 0, "blocked": 0, "own": 0}
    assert waited.extra_ns == 495_000  # three queries before the median, each of which catches up by 165 us
    assert adds_up(waited)


def test_without_the_system_level_preemption_is_the_spans_own_time(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=5, delays={3: SLOW}, levels=LEVELS[:3])
    found = compare_queries(run, Choice(slowest=1))
    assert not found.told
    assert found.chosen[0].by_reason()["preempted"] == 0
    assert ("predict", "own", 200_000) in extras_of(found.chosen[0])


@pytest.mark.parametrize(("percentile", "number"), [(0, 0), (50, 5), (99, 9), (100, 9)])
def test_a_percentile_is_the_query_at_that_rank(tmp_path: Path, percentile: float, number: int) -> None:
    run = make_run(tmp_path, queries=10, delays={n: Delay(gather=1000 * n) for n in range(10)})
    assert [one.number for one in compare_queries(run, Choice(percentile=percentile)).chosen] == [number]


def test_queries_are_shown_once_and_in_order_of_the_options(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=5, delays={3: SLOW})
    found = compare_queries(run, Choice(slowest=1, percentile=100, numbers=(0, 3)))
    assert [one.number for one in found.chosen] == [3, 0]


def test_an_unknown_query_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=5)
    with pytest.raises(UserError, match="--query 7: the trace has no such query"):
        compare_queries(run, Choice(numbers=(7,)))


def test_a_trace_without_queries_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    table = with_parents(concatenate([]))
    write_spans(run / SPANS, table)
    with pytest.raises(UserError, match="has no queries"):
        compare_queries(run, Choice(slowest=1))


def test_offline_compares_batches(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=1, samples=12, batch=2, instances=2, scenario="Offline")
    found = compare_queries(run, Choice(slowest=2))
    assert (found.unit, found.count) == ("batch", 6)
    assert [one.tree.name for one in found.chosen] == ["batch", "batch"]
    assert all(one.extra_ns == 0 and not one.extras for one in found.chosen)


def test_a_shared_batch_counts_for_each_of_its_queries(tmp_path: Path) -> None:
    alone = [Batch(0, 1000 * n, 1000 * n + 10, 1000 * n + 80, 1000 * n + 90, 1000 * n + 100, 5, [n], [n])
             for n in range(3)]  # fmt: skip
    both = Batch(0, 5050, 5060, 5230, 5240, 5250, 5, [3, 4], [3, 4])
    queries = [Query(n, 1000 * n, 1000 * n, 1, 1, [alone[n]]) for n in range(3)]
    queries += [Query(3, 5000, 5000, 1, 1, [both]), Query(4, 5040, 5040, 1, 1, [both])]
    spans = query_spans(Recorded(queries, 0), [("measure", 0)], 6000)
    run = make_run(tmp_path)
    write_spans(run / SPANS, with_queries(with_parents(concatenate([spans.table()]))))
    first, second = compare_queries(run, Choice(numbers=(3, 4))).chosen
    assert extras_of(first) == {("queue", "queue", 50), ("predict", "own", 100)}
    assert extras_of(second) == {("queue", "queue", 10), ("predict", "own", 100)}
    assert adds_up(first)
    assert adds_up(second)


def test_spans_that_run_at_once_are_told_as_overlap(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=4, samples=4, instances=2, scenario="Server",
                   delays={2: Delay(postprocess=10_000)})  # fmt: skip
    (slow,) = compare_queries(run, Choice(slowest=1)).chosen
    assert slow.extra_ns == 20_000  # two batches of each instance, one after the other
    assert slow.by_reason()["own"] == 40_000
    assert slow.overlap_ns == -20_000


def test_the_document_has_the_whole_tree(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=5, delays={3: SLOW})
    found = compare_queries(run, Choice(slowest=1))
    (told,) = document(found)["chosen"]

    def count(tree: dict[str, Any]) -> int:
        return 1 + sum(map(count, tree["children"]))

    def all_of(node: Node) -> int:
        return len(list(node.walk()))

    assert count(told["tree"]) == all_of(found.chosen[0].tree)
    assert told["tree"]["share"] == 1
    assert told["tree"]["difference_ns"] == told["extra_ns"] == 640_000
    predict = told["tree"]["children"][0]["children"][1]
    assert (predict["name"], predict["preempted_ns"]) == ("predict", 200_000)
