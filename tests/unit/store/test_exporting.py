"""Exports can be read again, and hold what the store holds."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mlharness.errors import UserError
from mlharness.store.exporting import column_types, export, format_of, write_csv
from mlharness.store.index import index
from mlharness.store.opening import Store
from mlharness.store.querying import Filter, list_runs
from tests.unit.store.making import write_run

HOSTILE = {"labels": {"k": 'a "quoted", line\nand a = comma', "=cmd": "ü"}}


@pytest.fixture
def filled(store: Store, root: Path) -> Store:
    """A store with a run that has everything, and one that has next to nothing."""
    failed: dict[str, Any] = {
        "status": "failed",
        "metric": None,
        "latency_ns": None,
        "framework.version": None,
        "labels": {},
    }
    started = {"started": "2026-03-02T00:00:00.000+00:00"}
    index(store, [write_run(root, "one", HOSTILE), write_run(root, "two", {**failed, **started})])
    return store


def test_csv_reads_back(filled: Store) -> None:
    stream = io.StringIO()
    write_csv(list_runs(filled, Filter()), stream)
    two, one = csv.DictReader(io.StringIO(stream.getvalue()))
    assert list(one) == list(column_types())
    assert (one["run_id"], one["value"], one["started"]) == ("one", "101.5", "2026-03-01 10:00:00.000")
    assert json.loads(one["labels"]) == HOSTILE["labels"]
    assert (two["value"], two["framework_version"], two["labels"]) == ("", "", "{}")


def test_parquet_has_types_and_reads_back(filled: Store, tmp_path: Path) -> None:
    path = tmp_path / "a 'file'.parquet"
    export(list_runs(filled, Filter()), path, "parquet")
    assert [found.name for found in tmp_path.iterdir() if found.suffix == ".parquet"] == [path.name]
    with duckdb.connect() as connection:
        relation = connection.read_parquet(str(path))
        assert dict(zip(relation.columns, map(str, relation.types), strict=True)) == column_types()
        rows = relation.project("run_id, started, value, samples, framework_version, labels").fetchall()
    assert rows[0] == ("two", datetime(2026, 3, 2), None, 200, None, {})
    assert rows[1] == ("one", datetime(2026, 3, 1, 10), 101.5, 200, "1.2", HOSTILE["labels"])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_no_runs_are_a_table_without_rows(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"none.{form}"
    export([], path, form)
    with duckdb.connect() as connection:
        read = connection.read_csv(str(path)) if form == "csv" else connection.read_parquet(str(path))
        assert (list(read.columns), read.fetchall()) == (list(column_types()), [])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_that_cannot_be_written(tmp_path: Path, filled: Store, form: str) -> None:
    with pytest.raises(UserError, match="cannot write") as caught:
        export(list_runs(filled, Filter()), tmp_path / "nothing" / f"x.{form}", form)
    assert "-o" in caught.value.remedy


@pytest.mark.parametrize(
    ("path", "given", "form"),
    [
        ("a.csv", None, "csv"), ("a.PARQUET", None, "parquet"), ("a.txt", "csv", "csv"), (None, None, "csv"),
        ("a", "parquet", "parquet"),
    ],
)  # fmt: skip
def test_the_format_is_given_or_the_suffix(path: str | None, given: str | None, form: str) -> None:
    assert format_of(Path(path) if path else None, given) == form


@pytest.mark.parametrize(
    ("path", "given", "words"), [("a.xlsx", None, "its suffix"), (None, "parquet", "needs a file")]
)
def test_a_format_that_is_none(path: str | None, given: str | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        format_of(Path(path) if path else None, given)
