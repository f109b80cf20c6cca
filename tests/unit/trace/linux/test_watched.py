"""What is said of each thread, from its sums and its slices."""

from __future__ import annotations

import json
import threading

import numpy as np

from mlharness.trace.linux.records import IN, OUT, SWITCH, Records
from mlharness.trace.linux.threads import Use
from mlharness.trace.linux.watched import Watched
from mlharness.trace.spans import Spans


def watched(**used: Use) -> Watched:
    """Threads that were there from 100 to 200, by their numbers, with what they used."""
    found = Watched()
    found.start, found.stop = 100, 200
    found.used = {int(number[1:]): use for number, use in used.items()}
    found.before = dict.fromkeys(found.used, Use())
    return found


def described(threads: Watched, records: Records | None) -> dict[int, list[tuple[str, str, int, int, str]]]:
    """For each thread its spans: name, kind, start, end and attributes."""
    spans = Spans("test")
    threads.describe(spans, records)
    table = spans.table()
    found: dict[int, list[tuple[str, str, int, int, str]]] = {}
    for row in range(len(table)):
        found.setdefault(int(table.thread[row]), []).append((
            table.text("name", row), table.text("kind", row), int(table.start[row]), int(table.end[row]),
            table.text("attributes", row),
        ))  # fmt: skip
    return found


def test_a_thread_has_its_sums_and_its_slices() -> None:
    threads = watched(t7=Use(cpu_ns=70, run_queue_delay_ns=5, waits=1, preemptions=0))
    threads.names = {7: "worker"}
    records = Records(np.array([(7, 150, OUT, 0), (7, 180, IN, 1)], SWITCH))
    ((name, kind, start, end, about), *slices) = described(threads, records)[7]
    assert (name, kind, start, end) == ("worker", "thread", 100, 200)
    assert json.loads(about) == {
        "cpu_ns": 70, "run_queue_delay_ns": 5, "waits": 1, "preemptions": 0, "running_ns": 70, "preempted_ns": 0,
        "blocked_ns": 30, "migrations": 1,
    }  # fmt: skip
    assert sorted(slices, key=lambda row: row[2]) == [
        ("worker", "running", 100, 150, '{"cpu":0}'), ("worker", "blocked", 150, 180, ""),
        ("worker", "running", 180, 200, '{"cpu":1}'),
    ]  # fmt: skip


def test_of_a_thread_that_was_not_followed_only_sums_are_said() -> None:
    threads = watched(t7=Use(waits=5, preemptions=0), t8=Use(waits=0, preemptions=0))
    found = described(threads, Records())
    assert [kind for _, kind, *_ in found[7]] == ["thread"]
    assert [kind for _, kind, *_ in found[8]] == ["thread", "blocked"]


def test_without_records_there_are_only_sums() -> None:
    found = described(watched(t7=Use(cpu_ns=5), t8=Use(cpu_ns=6)), None)
    assert [[kind for _, kind, *_ in spans] for spans in found.values()] == [["thread"], ["thread"]]


def test_threads_that_trace_are_not_told() -> None:
    threads = watched(t7=Use(cpu_ns=5), t8=Use(cpu_ns=6))
    threads.ours = {8}
    records = Records(np.array([(8, 150, OUT, 0)], SWITCH))
    assert described(threads, records).keys() == {7}


def test_a_thread_is_called_as_the_interpreter_or_it_itself_does() -> None:
    threads, records = watched(), Records(names={3: "renamed"})
    threads.note()
    me = threading.get_native_id()
    assert threads.name(me) == threading.current_thread().name
    assert threads.name(3, records) == "renamed"
    assert threads.name(3) == "thread 3"
