"""Which runs a filter finds, and in which order."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mlharness.store.index import index
from mlharness.store.opening import Store
from mlharness.store.querying import Filter, Page, count_runs, id_at, ids_beginning, list_runs, values_of
from tests.unit.store.making import write_run

RUNS: dict[str, dict[str, Any]] = {
    "r1": {"model.name": "resnet18", "framework.name": "torch", "framework.version": "2.1", "system.host": "desk",
           "started": "2026-03-01T00:00:00.000+00:00", "labels": {"who": "ci", "n": "1"}},
    "r2": {"model.name": "resnet50", "framework.name": "torch", "framework.version": "2.2", "status": "invalid",
           "started": "2026-03-02T00:00:00.000+00:00", "labels": {"who": "ann"}},
    "r3": {"model.name": "bert_large", "framework.name": "onnxruntime", "framework.version": "1.2",
           "scenario": "Server", "started": "2026-03-03T00:00:00.000+00:00", "system.host": "rack%1", "labels": {}},
    "s1": {"model.name": "bert-large", "framework.name": "onnxruntime", "framework.version": None, "status": "failed",
           "started": "2026-03-03T00:00:00.000+00:00", "labels": {"who": "ci"}},
}  # fmt: skip


@pytest.fixture
def filled(store: Store, root: Path) -> Store:
    """A store with a few runs."""
    index(store, [write_run(root, name, changes) for name, changes in RUNS.items()])
    return store


FILTERS: list[tuple[Filter, list[str]]] = [
    (Filter(), ["s1", "r3", "r2", "r1"]),
    (Filter(models=("resnet18",)), ["r1"]),
    (Filter(models=("RESNET*",)), ["r2", "r1"]),
    (Filter(models=("resnet?0", "bert-large")), ["s1", "r2"]),
    (Filter(models=("bert_large",)), ["r3"]),
    (Filter(models=("resnet",)), []),
    (Filter(hosts=("rack%1",)), ["r3"]),
    (Filter(hosts=("rack%",)), []),
    (Filter(hosts=("rack*",)), ["r3"]),
    (Filter(hosts=("\\",)), []),
    (Filter(frameworks=("torch",)), ["r2", "r1"]),
    (Filter(frameworks=("torch==2.1",)), ["r1"]),
    (Filter(frameworks=("torch==2.*", "onnxruntime==1.2")), ["r3", "r2", "r1"]),
    (Filter(statuses=("failed", "invalid")), ["s1", "r2"]),
    (Filter(scenarios=("Server",)), ["r3"]),
    (Filter(labels=(("who", "ci"),)), ["s1", "r1"]),
    (Filter(labels=(("who", None),)), ["s1", "r2", "r1"]),
    (Filter(labels=(("who", "ci"), ("n", "1"))), ["r1"]),
    (Filter(labels=(("who", "CI"),)), []),
    (Filter(since=datetime(2026, 3, 2)), ["s1", "r3", "r2"]),
    (Filter(until=datetime(2026, 3, 2)), ["r1"]),
    (Filter(since=datetime(2026, 3, 2), until=datetime(2026, 3, 3), statuses=("valid",)), []),
    (Filter(models=("'; DROP TABLE mlh_runs; --",)), []),
]


def test_every_filter_finds_what_it_says(filled: Store) -> None:
    found = [[row["run_id"] for row in list_runs(filled, wanted)] for wanted, _ in FILTERS]
    assert found == [expected for _, expected in FILTERS]
    assert [count_runs(filled, wanted) for wanted, _ in FILTERS] == [len(expected) for _, expected in FILTERS]


def test_a_limit_takes_the_latest_with_their_labels(filled: Store) -> None:
    rows = list_runs(filled, Filter(statuses=("valid", "invalid")), 2)
    assert [(row["run_id"], row["labels"]) for row in rows] == [("r3", {}), ("r2", {"who": "ann"})]
    assert list_runs(filled, Filter())[-1]["labels"] == {"n": "1", "who": "ci"}


def test_a_row_tells_no_more_than_it_should(filled: Store, root: Path) -> None:
    row = list_runs(filled, Filter(models=("resnet18",)))[0]
    assert row["directory"] == str(root / "r1")
    assert row["started"] == datetime(2026, 3, 1)
    assert not {"root", "folder", "stamp", "content_sha256"} & set(row)


def test_places_count_from_the_latest(filled: Store) -> None:
    assert [id_at(filled, place) for place in (1, 2, 3, 4, 5)] == ["s1", "r3", "r2", "r1", None]


def test_on_a_server_only_this_hosts_runs_have_places(
    empty_database: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platform

    from mlharness.store.opening import open_store

    store = open_store(empty_database)
    index(store, [write_run(root, "mine")])
    monkeypatch.setattr(platform, "node", lambda: "another")
    assert id_at(store, 1) is None
    index(store, [write_run(root, "yours")])
    assert (id_at(store, 1), id_at(store, 2)) == ("yours", None)


def test_beginnings(filled: Store) -> None:
    assert ids_beginning(filled, "r", 2) == ["r3", "r2"]
    assert ids_beginning(filled, "%", 5) == []
    assert ids_beginning(filled, "", 9) == ["s1", "r3", "r2", "r1"]


def test_values_of_a_column(filled: Store) -> None:
    assert values_of(filled, "framework_version") == ["1.2", "2.1", "2.2"]


ORDERED: dict[str, dict[str, Any]] = {
    "a": {"metric.value": 5.0, "metric.unit": "ns", "latency_ns.p90": 7},
    "b": {"metric.value": 3.0, "metric.unit": "samples/s", "latency_ns": None},
    "c": {"metric.value": 9.0, "metric.unit": "ns", "latency_ns.p90": 3},
    "d": {"metric": None, "status": "failed", "latency_ns.p90": 5},
}


@pytest.mark.parametrize(
    ("order", "up", "down"),
    [
        ("started", "abcd", "dcba"),
        ("figure", "acbd", "bcad"),  # a rate is no latency; what has no figure comes last either way
        ("p90", "cdab", "adcb"),
        ("status", "dcba", "cbad"),
        ("accuracy", "dcba", "dcba"),
    ],
)
def test_runs_come_in_any_order(store: Store, root: Path, order: str, up: str, down: str) -> None:
    for number, (name, changes) in enumerate(ORDERED.items(), start=1):
        index(store, [write_run(root, name, {**changes, "started": f"2026-03-0{number}T00:00:00.000+00:00"})])
    for descending, wanted in ((False, up), (True, down)):
        page = Page(order=order, descending=descending)
        assert [row["run_id"] for row in list_runs(store, Filter(), page=page)] == list(wanted)
        pages = [Page(3, offset, order, descending) for offset in (0, 3)]
        parts = [row["run_id"] for page in pages for row in list_runs(store, Filter(), page=page)]
        assert parts == list(wanted)


def test_labels_come_with_the_runs_of_a_page(filled: Store) -> None:
    (row,) = list_runs(filled, Filter(labels=(("who", None),)), columns=("run_id",), page=Page(1, 1))
    assert (row["run_id"], row["labels"]) == ("r2", {"who": "ann"})
