"""Which queries of a trace are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlharness.reporting.trace.windows import FIRST, Units, choose, read_units
from mlharness.trace.parquet import open_trace
from tests.traces import MEASURE, START, Delay, make_run


def units_of(lengths: list[int]) -> Units:
    """Queries one after the other."""
    sizes = np.array(lengths, np.int64)
    return Units("query", np.arange(len(sizes)), np.cumsum(sizes) - sizes, sizes)


def test_the_median_comes_first_then_the_slowest_and_the_fastest() -> None:
    found = choose(units_of([30, 10, 50, 20, 40]))
    assert [(window.title, window.about, window.start, window.length) for window in found] == [
        ("Median query", "query 0", 0, 30),
        ("Slowest query", "query 2", 40, 50),
        ("Fastest query", "query 1", 30, 10),
        ("First 5 queries", "one after the other, as they came", 0, 150),
    ]


def test_of_many_queries_the_99th_percentile_is_drawn_and_only_the_first_ten() -> None:
    found = choose(units_of(list(range(1, 201))))
    assert [window.title for window in found][2] == "99th percentile"
    assert found[2].length == 198
    assert found[-1].units == tuple(range(FIRST))
    assert found[-1].length == sum(range(1, FIRST + 1))


def test_a_query_is_drawn_under_one_title() -> None:
    assert [window.title for window in choose(units_of([7]))] == ["Median query"]
    assert [window.title for window in choose(units_of([7, 9]))] == ["Median query", "Slowest query"]


@pytest.mark.parametrize(
    ("queries", "samples", "batch", "word", "count"), [(5, 1, 1, "query", 5), (1, 8, 2, "batch", 4)]
)
def test_where_there_are_few_queries_batches_are_drawn(
    tmp_path: Path, queries: int, samples: int, batch: int, word: str, count: int
) -> None:
    run = make_run(tmp_path, queries=queries, samples=samples, batch=batch)
    with open_trace(run) as database:
        units = read_units(database)
    assert units is not None
    assert (units.word, len(units)) == (word, count)
    assert units.start[0] == START + MEASURE


def test_without_queries_calls_of_the_model_are_drawn(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=4)
    with open_trace(run) as database:
        database.execute("CREATE TABLE deep AS SELECT * FROM spans WHERE level <> 'application'")
        database.execute("DROP VIEW spans; ALTER TABLE deep RENAME TO spans")
        units = read_units(database)
    assert units is not None
    assert (units.word, units.length.tolist()) == ("call", [1_000_000] * 4)


def test_a_trace_without_spans_has_nothing_to_choose_from(tmp_path: Path) -> None:
    with open_trace(make_run(tmp_path, queries=1)) as database:
        database.execute("CREATE TABLE none AS SELECT * FROM spans WHERE id < 0")
        database.execute("DROP VIEW spans; ALTER TABLE none RENAME TO spans")
        assert read_units(database) is None


def test_the_slowest_query_of_a_run_is_found(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=9, delays={6: Delay(layers={"conv1": 5_000_000})})
    with open_trace(run) as database:
        units = read_units(database)
    assert units is not None
    assert choose(units)[1].about == "query 6"
