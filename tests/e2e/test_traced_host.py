"""A traced run tells what its threads and its host did, and names what this machine cannot tell."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mlharness.builtin.hardware import KINDS
from mlharness.trace.parquet import open_trace
from tests.e2e.conftest import Bench, Ran
from tests.e2e.test_scenarios import check_document

pytestmark = pytest.mark.alone


def rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    """The answer of a trace to a query."""
    with open_trace(run) as database:
        return database.execute(query).fetchall()


def test_threads_and_host_are_traced_and_what_is_missing_is_named(bench: Bench) -> None:
    ran = bench("null", "--scenario", "Offline", "--duration", "1", "--trace", "application,system,hardware", "--json")
    assert ran.code == 0, ran.err
    check_document(ran.document)
    check_levels(ran.document["trace"])
    check_threads(ran)
    check_slices(ran)
    found = rows(ran.run, "SELECT DISTINCT source, name, unit FROM telemetry")
    assert ("host-memory", "memory.resident", "bytes") in found
    assert all(source and name and unit for source, name, unit in found)


def check_levels(trace: Any) -> None:
    """Both levels are filled, and every source that is not has its reason, in the level, too."""
    assert trace["failure"] == ""
    for level in ("system", "hardware"):
        assert trace["levels"][level]["state"] == "recorded"
        sources = [source for source in trace["sources"] if source["level"] == level]
        missing = [source["reason"] for source in sources if source["state"] != "recorded"]
        assert all(missing)
        assert trace["levels"][level]["reasons"] == missing
    names = {source["name"] for source in trace["sources"]}
    assert names >= {kind.name for kind in KINDS} | {"linux-switches", "linux-schedstat"}
    assert not [source for source in trace["sources"] if source["state"] == "broken"]


def check_threads(ran: Ran) -> None:
    """The threads of the run are there by name, those that trace it are not."""
    found = rows(ran.run, "SELECT name, thread, attributes FROM spans WHERE level = 'system' AND kind = 'thread'")
    names = {name for name, _, _ in found}
    assert {"MainThread", "instance-0_0"} <= names
    assert "trace-sampler" not in names
    workers = {thread for (thread,) in rows(ran.run, "SELECT DISTINCT thread FROM spans WHERE kind = 'batch'")}
    assert workers <= {thread for _, thread, _ in found}
    assert all("run_queue_delay_ns" in json.loads(text) for name, _, text in found if name.startswith("instance"))


def check_slices(ran: Ran) -> None:
    """Slices of a thread follow each other, and some lie within the test."""
    threads = "SELECT thread, start_ns, duration_ns FROM spans WHERE kind IN ('running', 'preempted', 'blocked')"
    slices = sorted(rows(ran.run, threads))
    phase = "SELECT start_ns, start_ns + duration_ns FROM spans WHERE kind = 'phase' AND name = 'measure'"
    ((begin, end),) = rows(ran.run, phase)
    for (thread, start, length), (other, following, _) in pairwise(slices):
        assert thread != other or start + length <= following
    if any(source["name"] == "linux-switches" and source["spans"] for source in ran.document["trace"]["sources"]):
        middle = (begin + end) // 2
        assert any(start <= middle < start + length for _, start, length in slices)
