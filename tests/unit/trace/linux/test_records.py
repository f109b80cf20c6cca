"""Records of rings, made up and recorded, as bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlharness.trace.linux.records import IN, OUT, PREEMPTED, Records, Switch, parse_records

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


def test_switches_of_all_rings_come_in_the_order_of_time() -> None:
    rings = [switch(IN, 7, 10) + switch(PREEMPTED, 7, 30), switch(IN, 8, 20, 1) + switch(OUT, 8, 25, 1)]
    assert parse_records(rings) == Records([
        Switch(10, IN, 7, 0), Switch(20, IN, 8, 1), Switch(25, OUT, 8, 1), Switch(30, PREEMPTED, 7, 0),
    ])  # fmt: skip


def test_other_records_tell_of_names_births_ends_and_losses() -> None:
    name = struct.pack("=II", 1, 7) + b"worker\0\0"
    task = struct.pack("=IIIIQ", 1, 1, 9, 7, 50)
    lost = struct.pack("=QQ", 3, 40)
    unknown = record(99, 0, b"12345678", 7, 60, 0)
    ring = b"".join([
        record(3, 0, name, 7, 40, 0), record(7, 0, task, 7, 50, 0), unknown, record(2, 0, lost, 7, 65, 0),
        record(2, 0, lost, 7, 66, 0), record(4, 0, task, 9, 70, 0), switch(IN, 7, 80),
    ])  # fmt: skip
    assert parse_records([ring]) == Records(
        [Switch(80, IN, 7, 0)], names={7: "worker"}, born={9: 50}, ended={9: 70}, lost=80
    )


def test_what_is_cut_off_is_counted_and_the_rest_is_kept() -> None:
    whole = switch(IN, 7, 10) + switch(OUT, 7, 20)
    for length in range(len(whole)):
        found = parse_records([whole[:length]])
        assert len(found.switches) == length // 32
        assert found.unreadable == length % 32


def test_a_record_that_says_it_has_no_length_ends_the_ring() -> None:
    found = parse_records([switch(IN, 7, 10) + bytes(64), switch(IN, 8, 20)])
    assert ([one.thread for one in found.switches], found.unreadable) == ([7, 8], 64)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    found = parse_records([data])
    assert 0 <= found.unreadable <= len(data)


def test_rings_that_were_recorded_can_be_read() -> None:
    found = parse_records((RECORDED / f"cpu{cpu}.ring").read_bytes() for cpu in (0, 1))
    main, sleeper = 31236, 31248
    assert (found.lost, found.unreadable, found.names) == (0, 0, {main: "renamed"})
    assert found.born.keys() == found.ended.keys() == {sleeper}
    assert len(found.switches) == 31
    assert {one.thread for one in found.switches} == {main, sleeper}
    assert [one.time for one in found.switches] == sorted(one.time for one in found.switches)
    assert found.born[sleeper] < found.switches[1].time < found.ended[sleeper]
    assert sum(one.what == PREEMPTED for one in found.switches) == 3
