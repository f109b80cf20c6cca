"""Spans and readings as Parquet: asked by SQL, written whole or not at all, and fast."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mlharness.errors import UserError
from mlharness.trace import parquet
from mlharness.trace.levels import FRAMEWORK, MODEL
from mlharness.trace.parquet import SPANS, TELEMETRY, open_trace, write_readings, write_spans
from mlharness.trace.spans import Spans, SpanTable
from tests.unit.trace.making import one_tree


def some() -> SpanTable:
    spans = Spans('it\'s a "test"')
    spans.add(MODEL, "predict", 1_000, 500, thread=7, query=3)
    spans.add(FRAMEWORK, "conv ü", 1_100, 50, kind="Conv", thread=7, attributes={"flops": 12})
    return one_tree(spans)


def test_spans_are_rows(tmp_path: Path) -> None:
    write_spans(tmp_path / SPANS, some())
    with open_trace(tmp_path) as database:
        columns = [name for name, *_ in database.sql("DESCRIBE spans").fetchall()]
        rows = database.sql("SELECT * FROM spans ORDER BY id").fetchall()
        (flops,) = database.sql("SELECT (attributes->>'flops')::BIGINT FROM spans WHERE kind = 'Conv'").fetchall()
        assert database.sql("SELECT count(*) FROM telemetry").fetchall() == [(0,)]
    assert columns == ["id", "parent", "query", "level", "name", "kind", "start_ns", "duration_ns", "thread", "source",
                       "parentage", "attributes"]  # fmt: skip
    source = 'it\'s a "test"'
    assert rows == [
        (1, 0, 3, "model", "predict", "", 1_000, 500, 7, source, "none", None),
        (2, 1, -1, "framework", "conv ü", "Conv", 1_100, 50, 7, source, "enclosed", '{"flops":12}'),
    ]
    assert flops == (12,)


def test_no_spans_are_a_file_without_rows(tmp_path: Path) -> None:
    write_spans(tmp_path / SPANS, one_tree())
    with open_trace(tmp_path) as database:
        assert database.sql("SELECT count(*) FROM spans").fetchall() == [(0,)]


def test_readings_are_rows(tmp_path: Path) -> None:
    write_spans(tmp_path / SPANS, some())
    rows = [("nvml", "gpu0.power", "W", 1_000, 12.5), ("nvml", "gpu0.power", "W", 2_000, 13.0)]
    write_readings(tmp_path / TELEMETRY, rows)
    with open_trace(tmp_path) as database:
        assert database.sql("SELECT * FROM telemetry ORDER BY time_ns").fetchall() == rows


def test_a_path_with_quotes_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "it's; DROP TABLE spans"
    folder.mkdir()
    write_spans(folder / SPANS, some())
    with open_trace(folder) as database:
        assert database.sql("SELECT count(*) FROM spans").fetchall() == [(2,)]


def test_a_run_without_a_trace_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no trace"), open_trace(tmp_path):
        pass


def test_a_file_that_is_no_trace_is_told(tmp_path: Path) -> None:
    (tmp_path / SPANS).write_bytes(b"PAR1 and nothing else")
    with pytest.raises(UserError, match="cannot be read"), open_trace(tmp_path):
        pass


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_spans(tmp_path / SPANS, some())
    before = (tmp_path / SPANS).read_bytes()
    monkeypatch.setattr(parquet, "_SELECT", "SELECT error('the disk is full') FROM spans")
    with pytest.raises(Exception, match="the disk is full"):
        write_spans(tmp_path / SPANS, some())
    assert (tmp_path / SPANS).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [SPANS]


MILLION = """
    import resource, sys, time
    from pathlib import Path
    import duckdb
    import numpy as np
    from mlharness.trace.parquet import write_spans
    from mlharness.trace.spans import COLUMNS, SpanTable
    count = 1_000_000
    rows = np.arange(count, dtype=np.int64)
    strings = ("", *(f"operator {n}" for n in range(500)), *('{"shape":"%d"}' % n for n in range(500)))
    columns = {name: np.zeros(count, np.int64) for name in COLUMNS}
    columns |= {
        "id": rows + 1, "parent": rows // 2, "query": rows // 100, "level": rows % 4, "name": rows % 500 + 1,
        "kind": rows % 20 + 1, "start": 10**15 + rows * 1_931, "duration": 1_000 + rows % 977,
        "thread": 4_000 + rows % 3, "attributes": rows % 500 + 501,
    }
    table = SpanTable(strings=strings, **columns)
    write_spans(Path(sys.argv[1]) / "first.parquet", table.take(rows[:10]))
    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    before, began = peak(), time.process_time()
    write_spans(Path(sys.argv[1]) / "spans.parquet", table)
    print(time.process_time() - began, peak() - before, (Path(sys.argv[1]) / "spans.parquet").stat().st_size)
"""


@pytest.mark.alone
def test_a_million_spans_are_written_in_time_and_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MILLION), str(tmp_path)], capture_output=True, text=True, check=True
    )
    seconds, megabytes, _size = map(float, done.stdout.split())  # and nothing else, such as a progress bar
    assert seconds < 10
    assert megabytes < 300
    with open_trace(tmp_path) as database:
        assert database.sql("SELECT count(*), sum(parent) FROM spans").fetchall() == [
            (1_000_000, int(np.sum(np.arange(1_000_000) // 2)))
        ]
