"""Records of rings, made up and recorded, as bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlharness.trace.linux.records import IN, OUT, PREEMPTED, Records, parse_records

RECORDED = Path(__file__).parent / "recorded"
"""Two CPUs' rings, recorded on Linux 6.18 (x86-64): a thread sleeps three times beside one that computes."""
MISC = {IN: 0, OUT: 1 << 13, PREEMPTED: 3 << 13}


def record(kind: int, misc: int, body: bytes, thread: int, time: int, cpu: int) -> bytes:
    """One record as the kernel writes it."""
    tail = struct.pack("=IIQII", 1, thread, time, cpu, 0)
    return struct.pack("=IHH", kind, misc, 8 + len(body) + len(tail)) + body + tail


def switch(what: int, thread: int, time: int, cpu: int = 0) -> bytes:
    """A thread comes or goes."""
    return record(14, MISC[what], b"", thread, time, cpu)


def switches_of(records: Records) -> list[tuple[int, int, int, int]]:
    """Thread, time, what and CPU of each."""
    return [tuple(row) for row in records.switches.tolist()]


def test_switches_of_all_rings_are_sorted_by_thread_and_time() -> None:
    rings = [switch(IN, 7, 10) + switch(PREEMPTED, 7, 30), switch(IN, 8, 20, 1) + switch(IN, 7, 15, 1)]
    assert switches_of(parse_records(rings)) == [
        (7, 10, IN, 0), (7, 15, IN, 1), (7, 30, PREEMPTED, 0), (8, 20, IN, 1),
    ]  # fmt: skip
    assert switches_of(parse_records([])) == switches_of(parse_records([b"", b""])) == []


def test_other_records_tell_of_names_births_ends_and_losses() -> None:
    name = struct.pack("=II", 1, 7) + b"worker\0\0"
    task = struct.pack("=IIIIQ", 1, 1, 9, 7, 50)
    lost = struct.pack("=QQ", 3, 40)
    unknown = record(99, 0, b"12345678", 7, 60, 0)
    found = parse_records([b"".join([
        record(3, 0, name, 7, 40, 0), record(7, 0, task, 7, 50, 0), unknown, record(2, 0, lost, 7, 65, 0),
        switch(OUT, 7, 66), record(2, 0, lost, 7, 67, 0), record(4, 0, task, 9, 70, 0), switch(IN, 7, 80),
    ])])  # fmt: skip
    assert switches_of(found) == [(7, 66, OUT, 0), (7, 80, IN, 0)]
    assert (found.names, found.born, found.ended) == ({7: "worker"}, {9: 50}, {9: 70})
    assert (found.lost, found.unreadable) == (80, 0)


def test_more_switches_than_are_looked_at_together_are_all_read() -> None:
    ring = b"".join(switch((IN, OUT)[number % 2], 7, number) for number in range(10_000))
    assert [time for _, time, _, _ in switches_of(parse_records([ring]))] == list(range(10_000))


def test_what_is_cut_off_is_counted_and_the_rest_is_kept() -> None:
    whole = switch(IN, 7, 10) + switch(OUT, 7, 20)
    for length in range(len(whole)):
        found = parse_records([whole[:length]])
        assert len(found.switches) == length // 32
        assert found.unreadable == length % 32


def test_a_record_that_says_it_has_no_length_ends_the_ring() -> None:
    found = parse_records([switch(IN, 7, 10) + bytes(64), switch(IN, 8, 20)])
    assert ([thread for thread, *_ in switches_of(found)], found.unreadable) == ([7, 8], 64)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    found = parse_records([data])
    assert 0 <= found.unreadable <= len(data)


def test_rings_that_were_recorded_can_be_read() -> None:
    found = parse_records((RECORDED / f"cpu{cpu}.ring").read_bytes() for cpu in (0, 1))
    main, sleeper = 31236, 31248
    assert (found.lost, found.unreadable, found.names) == (0, 0, {main: "renamed"})
    assert found.born.keys() == found.ended.keys() == {sleeper}
    switches = switches_of(found)
    assert len(switches) == 31
    assert {thread for thread, *_ in switches} == {main, sleeper}
    assert switches == sorted(switches, key=lambda row: row[:2])
    times = [time for thread, time, *_ in switches if thread == sleeper]
    assert found.born[sleeper] < times[0] < times[-1] < found.ended[sleeper]
    assert sum(what == PREEMPTED for _, _, what, _ in switches) == 3
