"""The records of a ring of switches, from bytes to numbers; their form is in perf_event_open(2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

IN, OUT, PREEMPTED = range(3)
"""A thread came onto a CPU; it left to wait for something; it was taken off while it could have gone on."""

_LOST, _COMM, _EXIT, _FORK, _SWITCH = 2, 3, 4, 7, 14
_MISC_OUT, _MISC_PREEMPTED = 1 << 13, 1 << 14
_HEADER = struct.Struct("=IHH")
_ID = struct.Struct("=IIQII")
"""What each record ends with: process, thread, time in nanoseconds, CPU, and nothing."""
_TASK = struct.Struct("=IIII")
_LOST_COUNT = struct.Struct("=QQ")


class Switch(NamedTuple):
    """A thread came onto a CPU, or left it; in the order of time."""

    time: int
    what: int
    thread: int
    cpu: int


@dataclass
class Records:
    """What the rings of all CPUs held.

    ``names`` are what threads called themselves, ``born`` and ``ended`` when they began and ended (nanoseconds of the
    rings' clock), ``lost`` the records for which a ring had no room, ``unreadable`` the bytes that are no records.
    """

    switches: list[Switch] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    born: dict[int, int] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    lost: int = 0
    unreadable: int = 0


def parse_records(rings: Iterable[bytes]) -> Records:
    """The records of some rings, the switches of all of them in the order of time.

    What follows bytes that cannot be a record is left out and counted, since nothing says where the next one begins.
    """
    records = Records()
    for data in rings:
        _parse(data, records)
    records.switches.sort()
    return records


def _parse(data: bytes, records: Records) -> None:
    header, identity, switches = _HEADER.unpack_from, _ID.unpack_from, records.switches
    offset, size_of_all, tail = 0, len(data), _ID.size
    least = _HEADER.size + tail
    while offset + least <= size_of_all:
        kind, misc, size = header(data, offset)
        end = offset + size
        if size < least or end > size_of_all:
            break
        _, thread, time, cpu, _ = identity(data, end - tail)
        if kind == _SWITCH:
            what = IN if not misc & _MISC_OUT else PREEMPTED if misc & _MISC_PREEMPTED else OUT
            switches.append(Switch(time, what, thread, cpu))
        else:
            _other(kind, data[offset + _HEADER.size : end - tail], time, records)
        offset = end
    records.unreadable += size_of_all - offset


def _other(kind: int, body: bytes, time: int, records: Records) -> None:
    """A record of anything but a switch; kinds that nobody asked for are passed over."""
    if kind == _LOST and len(body) >= _LOST_COUNT.size:
        records.lost += _LOST_COUNT.unpack_from(body)[1]
    elif kind == _COMM and len(body) > 8:
        records.names[struct.unpack_from("=I", body, 4)[0]] = body[8:].split(b"\0", 1)[0].decode(errors="replace")
    elif kind in (_FORK, _EXIT) and len(body) >= _TASK.size:
        thread = _TASK.unpack_from(body)[2]
        (records.born if kind == _FORK else records.ended)[thread] = time
