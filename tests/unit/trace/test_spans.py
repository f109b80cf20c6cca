"""Spans in columns: added, saved, loaded, moved onto one clock, and put together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.trace.clock import Anchor, Offset
from mlharness.trace.levels import APPLICATION, FRAMEWORK, LIBRARY, MODEL
from mlharness.trace.spans import COLUMNS, NO_PARENT, Spans, SpanTable, concatenate


def some(source: str = "test") -> Spans:
    spans = Spans(source)
    spans.add(MODEL, "predict", 1_000, 500, kind="predict", thread=7, query=3, key=1)
    spans.add(FRAMEWORK, "conv_1", 1_100, 50, kind="Conv", thread=7, parent=1, attributes={"shape": [1, 2]})
    spans.add(FRAMEWORK, "conv_2", 1_200, 50, kind="Conv", thread=7, correlation=9, caused_by=8, attributes='{"a":1}')
    spans.read("power", "W", 1_300, 12.5)
    spans.dropped = 4
    spans.notes.append("four were lost")
    return spans


def same(one: SpanTable, other: SpanTable) -> bool:
    return one.strings == other.strings and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS
    )


def test_what_was_added_stands_in_columns() -> None:
    table = some().table()
    assert len(table) == 3
    assert table.start.tolist() == [1_000, 1_100, 1_200]
    assert table.end.tolist() == [1_500, 1_150, 1_250]
    assert [table.text("kind", row) for row in range(3)] == ["predict", "Conv", "Conv"]
    assert json.loads(table.text("attributes", 1)) == {"shape": [1, 2]}
    assert table.text("attributes", 0) == ""
    assert {table.text("source", row) for row in range(3)} == {"test"}
    assert table.query.tolist() == [3, -1, -1]
    assert table.counts() == {"model": 1, "framework": 2}
    assert table.take(np.array([2])).correlation.tolist() == [9]


def test_many_spans_added_together_are_as_if_added_one_by_one() -> None:
    together, single = Spans("tracer"), Spans("tracer")
    for spans in (together, single):
        spans.add(1, "before", 1, 2)
    together.extend(4, "thread", [10, 30], [5, 6], kind="running", thread=7, parent=-1, attributes='{"cpu":1}')
    for start, duration in ((10, 5), (30, 6)):
        single.add(4, "thread", start, duration, kind="running", thread=7, parent=-1, attributes='{"cpu":1}')
    assert same(together.table(), single.table())


def test_saved_spans_come_back(tmp_path: Path) -> None:
    path = tmp_path / "spans.npz"
    spans = some()
    spans.save(path)
    loaded = Spans.load(path)
    assert same(loaded.table(), spans.table())
    assert loaded.readings() == spans.readings() == [("test", "power", "W", 1_300, 12.5)]
    assert (loaded.source, loaded.clock, loaded.dropped, loaded.notes) == ("test", "monotonic", 4, ["four were lost"])
    loaded.add(LIBRARY, "conv_1", 0, 1)  # and can be added to
    assert loaded.table().text("name", 3) == "conv_1"


def test_no_spans_are_saved_and_loaded(tmp_path: Path) -> None:
    Spans("empty", "wall").save(tmp_path / "empty.npz")
    loaded = Spans.load(tmp_path / "empty.npz")
    assert (len(loaded), loaded.count_of_readings, loaded.clock) == (0, 0, "wall")


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


@given(rows=st.lists(st.tuples(TEXT, TEXT, st.integers(-(1 << 62), 1 << 62), st.integers(0, 1 << 60)), max_size=20))
def test_any_spans_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int, int]]) -> None:
    path = tmp_path_factory.mktemp("spans") / "any.npz"
    spans = Spans("any")
    for name, kind, start, duration in rows:
        spans.add(FRAMEWORK, name, start, duration, kind=kind, attributes={"name": name})
    spans.save(path)
    assert same(Spans.load(path).table(), spans.table())


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_told(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.npz"
    some().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=r"cut\.npz cannot be read"):
        Spans.load(path)


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz cannot be read"):
        Spans.load(tmp_path / "other.npz")
    np.savez(tmp_path / "false.npz", about=np.frombuffer(b'{"source": 1}', np.uint8))
    with pytest.raises(ValueError, match=r"false\.npz cannot be read"):
        Spans.load(tmp_path / "false.npz")


def test_columns_of_different_lengths_are_told(tmp_path: Path) -> None:
    path = tmp_path / "uneven.npz"
    some().save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["duration"] = arrays["duration"][:-1]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"uneven\.npz cannot be read"):
        Spans.load(path)


def test_names_that_are_not_there_are_told(tmp_path: Path) -> None:
    path = tmp_path / "unnamed.npz"
    some().save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["name"] = arrays["name"] + 1_000
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"unnamed\.npz cannot be read"):
        Spans.load(path)


def test_wall_clock_times_are_moved() -> None:
    spans = Spans("wall", clock="wall")
    spans.add(MODEL, "predict", 1_000_000_500, 20)
    spans.read("clock", "MHz", 1_000_000_700, 2_000.0)
    anchor = Anchor(Offset(1_000_000_000, 100), Offset(1_000_000_004, 100))
    assert spans.table(anchor).start.tolist() == [500]
    assert spans.readings(anchor) == [("wall", "clock", "MHz", 700, 2_000.0)]


def test_tables_are_put_together() -> None:
    first, second = some("first"), some("second")
    second.add(APPLICATION, "alone", 0, 1, parent=NO_PARENT)
    table = concatenate([first.table(), Spans("empty").table(), second.table()])
    assert table.id.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert [table.text("source", row) for row in range(7)] == ["first"] * 3 + ["second"] * 4
    assert [table.text("name", row) for row in (1, 4)] == ["conv_1", "conv_1"]
    assert table.name[1] == table.name[4], "one text is kept once"
    assert table.key.tolist() == [1, 0, 0, 2, 0, 0, 0], "keys are numbered through"
    assert table.parent.tolist() == [0, 1, 0, 0, 2, 0, NO_PARENT]


def test_nothing_put_together_is_nothing() -> None:
    assert len(concatenate([])) == 0
    assert concatenate([]).counts() == {}
