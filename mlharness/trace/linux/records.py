"""The records of a ring of switches, from bytes to numbers; their form is in perf_event_open(2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

IN, OUT, PREEMPTED = range(3)
"""A thread came onto a CPU; it left to wait for something; it was taken off while it could have gone on."""
SWITCH = np.dtype([("thread", np.int64), ("time", np.int64), ("what", np.int64), ("cpu", np.int64)])

_LOST, _COMM, _EXIT, _FORK, _SWITCH = 2, 3, 4, 7, 14
_MISC_OUT, _MISC_PREEMPTED = 1 << 13, 1 << 14
_HEADER = struct.Struct("=IHH")
_ID = struct.Struct("=IIQII")
"""What each record ends with: process, thread, time in nanoseconds, CPU, and nothing."""
_RAW = np.dtype([
    ("kind", np.uint32), ("misc", np.uint16), ("size", np.uint16), ("process", np.uint32), ("thread", np.uint32),
    ("time", np.uint64), ("cpu", np.uint32), ("nothing", np.uint32),
])  # fmt: skip
"""A switch: nothing stands between its header and its end."""
_TASK = struct.Struct("=IIII")
_LOST_COUNT = struct.Struct("=QQ")
_AT_ONCE = 4096


@dataclass
class Records:
    """What the rings of all CPUs held.

    ``switches`` is an array of :data:`SWITCH` [n], sorted by thread and time. ``names`` are what threads called
    themselves, ``born`` and ``ended`` when they began and ended (nanoseconds of the rings' clock), ``lost`` the records
    for which a ring had no room, ``unreadable`` the bytes that are no records.
    """

    switches: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0, SWITCH))
    names: dict[int, str] = field(default_factory=dict)
    born: dict[int, int] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    lost: int = 0
    unreadable: int = 0


def parse_records(rings: Iterable[bytes]) -> Records:
    """The records of some rings.

    What follows bytes that cannot be a record is left out and counted, since nothing says where the next one begins.
    """
    records = Records()
    raw = np.concatenate([np.empty(0, _RAW), *(part for data in rings for part in _parse(data, records))])
    switches = np.empty(len(raw), SWITCH)
    for name in ("thread", "time", "cpu"):
        switches[name] = raw[name]
    left = np.where(raw["misc"] & _MISC_PREEMPTED, PREEMPTED, OUT)
    switches["what"] = np.where(raw["misc"] & _MISC_OUT, left, IN)
    records.switches = switches[np.lexsort((switches["time"], switches["thread"]))]
    return records


def _parse(data: bytes, records: Records) -> Iterator[npt.NDArray[Any]]:
    """The switches of a ring, as they stand there; all else goes into the records."""
    offset, least = 0, _HEADER.size + _ID.size
    while offset + least <= len(data):
        switches = _switches_at(data, offset)
        if len(switches):
            yield switches
            offset += switches.nbytes
            continue
        kind, _, size = _HEADER.unpack_from(data, offset)
        end = offset + size
        if size < least or end > len(data):
            break
        time = _ID.unpack_from(data, end - _ID.size)[2]
        _other(kind, data[offset + _HEADER.size : end - _ID.size], time, records)
        offset = end
    records.unreadable += len(data) - offset


def _switches_at(data: bytes, offset: int) -> npt.NDArray[Any]:
    """The switches that stand there one after the other, some thousands at most."""
    raw = np.frombuffer(data, _RAW, min(_AT_ONCE, (len(data) - offset) // _RAW.itemsize), offset)
    others = np.flatnonzero((raw["kind"] != _SWITCH) | (raw["size"] != _RAW.itemsize))
    return raw[: others[0]] if len(others) else raw


def _other(kind: int, body: bytes, time: int, records: Records) -> None:
    """A record of anything but a switch; kinds that nobody asked for are passed over."""
    if kind == _LOST and len(body) >= _LOST_COUNT.size:
        records.lost += _LOST_COUNT.unpack_from(body)[1]
    elif kind == _COMM and len(body) > 8:
        records.names[struct.unpack_from("=I", body, 4)[0]] = body[8:].split(b"\0", 1)[0].decode(errors="replace")
    elif kind in (_FORK, _EXIT) and len(body) >= _TASK.size:
        thread = _TASK.unpack_from(body)[2]
        (records.born if kind == _FORK else records.ended)[thread] = time
