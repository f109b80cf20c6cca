"""The traced run's second half: one tree of all that was found, and what became of each level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness.trace.files import FOLDER, SOURCES, write_document
from mlharness.trace.levels import APPLICATION, FRAMEWORK, LEVELS, LIBRARY, MODEL
from mlharness.trace.parquet import open_trace
from mlharness.trace.queries import Query, Recorded
from mlharness.trace.spans import Spans, SpanTable
from mlharness.tracing import TraceWish, assemble, describe_levels, keep, placed, shortened, slowdown, with_queries
from tests.unit.runner.making import a_plan
from tests.unit.runner.measurements import a_measured
from tests.unit.trace.journals import Run
from tests.unit.trace.making import one_tree, parents

WALL = 1_700_000_000_000_000_000


def two_queries() -> SpanTable:
    """Each with a batch, a call, an operator and a primitive; and an operator of nobody."""
    spans = Spans("test")
    for query in range(2):
        base = 1_000 * query
        spans.add(APPLICATION, f"query {query}", base, 900, query=query, key=10 + query)
        spans.add(APPLICATION, f"batch {query}", base + 10, 800, query=query, thread=1, parent=10 + query)
        spans.add(MODEL, f"predict {query}", base + 20, 700, thread=1)
        spans.add(FRAMEWORK, f"operator {query}", base + 30, 600, thread=1)
        spans.add(LIBRARY, f"primitive {query}", base + 40, 500)
    spans.add(FRAMEWORK, "stray", 5_000, 10, thread=1)
    return with_queries(one_tree(spans))


def recorded(count: int) -> Recorded:
    return Recorded([Query(number, 0, 0, 1, 1) for number in range(count)], 0)


def test_a_query_is_handed_down_the_tree() -> None:
    table = two_queries()
    found = {table.text("name", row): int(table.query[row]) for row in range(len(table))}
    assert found["primitive 0"] == found["predict 0"] == 0
    assert found["primitive 1"] == found["operator 1"] == 1
    assert found["stray"] == -1


def test_every_level_is_kept_when_all_are_asked_for() -> None:
    table = two_queries()
    kept = keep(table, recorded(2), TraceWish(LEVELS))
    assert parents(kept) == parents(table)
    assert kept.id.tolist() == list(range(1, len(kept) + 1))


def test_a_level_that_is_not_asked_for_leaves_its_children_to_its_parent() -> None:
    kept = keep(two_queries(), recorded(2), TraceWish(("application", "library")))
    found = parents(kept)
    assert found["primitive 0"] == "batch 0"
    assert found["batch 1"] == "query 1"
    assert kept.id.tolist() == list(range(1, len(kept) + 1))
    assert "predict 0" not in found
    assert parents(keep(two_queries(), recorded(2), TraceWish(("library",)))) == {
        "primitive 0": "-",
        "primitive 1": "-",
    }


@pytest.mark.parametrize(("wish", "query"), [(TraceWish(LEVELS, every=2), 0), (TraceWish(LEVELS, first=1), 0)])
def test_a_sample_keeps_whole_queries(wish: TraceWish, query: int) -> None:
    kept = keep(two_queries(), recorded(2), wish)
    assert set(kept.query.tolist()) == {query}, "and nothing of nobody"
    assert parents(kept)["primitive 0"] == "operator 0"


def test_the_share_that_was_placed_is_told() -> None:
    assert placed(two_queries()) == {"framework": 2 / 3, "library": 1.0}
    assert placed(one_tree()) == {}


def test_the_traced_plan_is_a_short_quick_one() -> None:
    plan = a_plan()
    long = shortened(plan.with_test(duration_s=60.0, min_queries=1_000, rules="mlperf"))
    assert (long.test.duration_s, long.test.min_queries, long.test.rules) == (2.0, 1, "quick")
    assert shortened(plan.with_test(duration_s=0.5)).test.duration_s == 0.5


def test_a_slowdown_is_told_in_percent(tmp_path: Path) -> None:
    measured = a_measured(tmp_path)
    assert slowdown(None, measured, "SingleStream") is None
    assert slowdown(measured, None, "SingleStream") is None
    told = slowdown(measured, measured, "SingleStream")
    assert told is not None
    assert (told["figure"], told["percent"]) == ("p50", 0.0)


def source(name: str, level: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "level": level, "plugin": "test", "state": "recorded", "reason": "", "spans": 1,
            "readings": 0, "dropped": 0, "notes": [], **more}  # fmt: skip


def levels(counts: dict[str, int], *sources: dict[str, Any], failure: str = "") -> dict[str, dict[str, Any]]:
    return describe_levels(LEVELS, {"counts": counts, "sources": list(sources), "failure": failure}, "torch")


def test_every_level_has_a_state_and_its_reasons() -> None:
    told = levels(
        {"model": 3, "framework": 1},
        source("profile", "framework"),
        source("other", "framework", state="broken", reason="other failed in end: ValueError: no"),
        source("verbose", "library", state="missing", reason="this build has no oneDNN"),
        source("cupti", "system", state="broken", reason="cupti failed in begin: RuntimeError: in use"),
        source("nvml", "hardware", readings=5),
    )
    assert {level: entry["state"] for level, entry in told.items()} == {
        "application": "missing", "model": "recorded", "framework": "recorded", "library": "missing",
        "system": "broken", "hardware": "recorded",
    }  # fmt: skip
    assert told["application"]["reasons"] == ["no query was completed"]
    assert told["framework"]["reasons"] == ["other failed in end: ValueError: no"]
    assert told["library"]["reasons"] == ["this build has no oneDNN"]
    assert told["hardware"]["readings"] == 5


def test_a_level_that_nobody_gives_says_so() -> None:
    told = levels({}, source("nvml", "hardware"))
    assert told["library"]["reasons"] == ["no installed plugin has a tracer of this level for torch"]
    assert told["hardware"]["reasons"] == ["nvml recorded nothing"]


def test_a_failed_run_breaks_what_has_nothing() -> None:
    told = levels({"model": 3}, failure="the traced run failed: killed")
    assert told["model"]["state"] == "recorded"
    assert told["library"] == {
        "state": "broken",
        "spans": 0,
        "readings": 0,
        "reasons": ["the traced run failed: killed"],
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of two queries, as its runner left it."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    run = Run(folder)
    for number in range(2):
        base = 1_000_000 * (number + 1)
        run.issue(base, [number])
        run.batch(0, [base + 1_000 * step for step in (10, 20, 800, 810, 820)], [number])
    return run


def leave(run: Run, *spans: Spans, step_ns: int = 0, names: tuple[str, ...] = ()) -> None:
    """What a runner writes last."""
    for part in spans:
        part.save(run.folder / f"{part.source}.npz")
    sources = [source(part.source, "framework") for part in spans] + [source(name, "framework") for name in names]
    offsets = [{"offset_ns": WALL + step, "window_ns": 100} for step in (0, step_ns)]
    write_document(
        run.folder / SOURCES,
        {"sources": sources, "before": offsets[0], "after": offsets[1], "phases": [["load", 0], ["measure", 900_000]]},
    )


def operators(clock: str, offset: int) -> Spans:
    spans = Spans("profile", clock)  # type: ignore[arg-type]  # one of the two
    for number in range(2):
        spans.add(FRAMEWORK, "conv", offset + 1_000_000 * (number + 1) + 30_000, 500_000, kind="Conv", thread=11)
    return spans


@pytest.mark.parametrize(("clock", "offset"), [("monotonic", 0), ("wall", WALL)])
def test_one_tree_is_written_of_all(run: Run, tmp_path: Path, clock: str, offset: int) -> None:
    leave(run, operators(clock, offset))
    document = assemble(tmp_path, TraceWish(LEVELS))
    assert document["counts"]["framework"] == 2
    assert document["queries"] == 2
    assert document["placed"] == {"framework": 1.0}
    assert document["clock"] == {"offset_ns": WALL, "step_ns": 0, "window_ns": 100}
    with open_trace(tmp_path) as database:
        found = database.sql("SELECT query, start_ns FROM spans WHERE name = 'conv' ORDER BY query").fetchall()
    assert found == [(0, 1_030_000), (1, 2_030_000)]


def test_a_clock_that_was_set_is_flagged(run: Run, tmp_path: Path) -> None:
    leave(run, operators("wall", WALL), step_ns=-3_600_000_000_000)
    document = assemble(tmp_path, TraceWish(LEVELS))
    assert document["clock"]["step_ns"] == -3_600_000_000_000
    assert document["placed"] == {"framework": 1.0}


def test_a_runner_that_was_killed_leaves_its_queries(run: Run, tmp_path: Path) -> None:
    operators("wall", WALL).save(run.folder / "profile.npz")
    document = assemble(tmp_path, TraceWish(LEVELS))
    assert document["queries"] == 2
    assert document["counts"] == {"application": 2 * 6, "model": 2}
    assert document["clock"] is None


@pytest.mark.parametrize("name", ["profile.npz", "profile-1.npz"])
def test_a_file_that_cannot_be_read_breaks_its_source(run: Run, tmp_path: Path, name: str) -> None:
    leave(run, names=("profile", "profile-other"))
    (run.folder / name).write_bytes(b"cut off")
    profile, other = assemble(tmp_path, TraceWish(LEVELS))["sources"]
    assert profile["state"] == "broken"
    assert f"{name} cannot be read" in profile["reason"]
    assert other["state"] == "recorded"


def test_what_a_source_lost_is_counted(run: Run, tmp_path: Path) -> None:
    spans = operators("monotonic", 0)
    spans.dropped = 7
    leave(run, spans)
    assert assemble(tmp_path, TraceWish(LEVELS))["dropped"] == 7


def test_parents_in_a_circle_end(run: Run, tmp_path: Path) -> None:
    """A profiler's nonsense: the tree is walked all the same."""
    spans = Spans("profile")
    spans.add(FRAMEWORK, "a", 1_030_000, 10, key=1, parent=2)
    spans.add(FRAMEWORK, "b", 1_030_000, 10, key=2, parent=1)
    leave(run, spans)
    assert assemble(tmp_path, TraceWish(("library", "framework")))["counts"]["framework"] == 2
