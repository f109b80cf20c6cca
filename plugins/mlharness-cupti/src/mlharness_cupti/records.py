"""From CUPTI's activity records to spans.

A record lies in a buffer that CUPTI takes back, and names in it are pointers, so that all that is wanted is copied out
while the buffer is there. Times are nanoseconds of the clock that the tracer registered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlharness.trace.levels import LEVELS
from mlharness.trace.spans import NO_PARENT, Spans
from mlharness_cupti.names import demangle

SYSTEM = LEVELS.index("system")
MOST = 1_000_000
"""So many records are kept, 200 bytes each; later ones are counted."""
KINDS = ("CONCURRENT_KERNEL", "MEMCPY", "MEMCPY2", "MEMSET", "RUNTIME", "DRIVER", "SYNCHRONIZATION", "OVERHEAD")
"""Of ``ActivityKind``: what is recorded."""
_RUNTIME, _DRIVER = "RUNTIME_API", "DRIVER_API"
_THREAD = 2
"""``CUPTI_ACTIVITY_OBJECT_THREAD``: the overhead is that of a thread."""

ApiName = Callable[[str, int], str]
"""The name of a function of the domain ``RUNTIME_API`` or ``DRIVER_API``, by its number."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What was copied out of one record.

    ``work``: it ran on the GPU, and the call with the same correlation launched it. ``call``: the domain of a call of
    the API, whose number is ``code``.
    """

    kind: str
    name: str
    start: int
    end: int
    correlation: int
    thread: int = 0
    work: bool = False
    call: str = ""
    code: int = 0
    facts: tuple[tuple[str, Any], ...] = ()


class Activities:
    """Takes records from CUPTI's threads, and makes spans of them afterwards.

    Args:
        cupti: the module ``cupti.cupti``, for its enumerations.
        most: of records that are kept.
    """

    def __init__(self, cupti: Any, most: int = MOST) -> None:
        self._cupti, self._most = cupti, most
        self.kept: list[Activity] = []
        self.beyond = 0
        """Records that came when there were enough."""
        self.unread = 0
        """Records that could not be read, or have no times."""
        kinds = cupti.ActivityKind
        self._readers: Mapping[int, Callable[[Any], Activity]] = {
            int(kinds.KERNEL): self._kernel,
            int(kinds.CONCURRENT_KERNEL): self._kernel,
            int(kinds.MEMCPY): self._copy,
            int(kinds.MEMCPY2): self._copy,
            int(kinds.MEMSET): self._set,
            int(kinds.RUNTIME): lambda record: _call(record, _RUNTIME),
            int(kinds.DRIVER): lambda record: _call(record, _DRIVER),
            int(kinds.SYNCHRONIZATION): self._wait,
            int(kinds.OVERHEAD): self._overhead,
        }

    def take(self, records: Iterable[Any]) -> None:
        """Called with each buffer, on a thread of CUPTI's; nothing may be raised there."""
        for record in records:
            try:
                reader = self._readers.get(int(record.kind))
                if reader is None:
                    continue
                if len(self.kept) >= self._most:
                    self.beyond += 1
                    continue
                activity = reader(record)
            except Exception:  # noqa: BLE001  # native code is the caller
                self.unread += 1
                continue
            if 0 < activity.start <= activity.end:
                self.kept.append(activity)
            else:  # CUPTI says by zeros that it could not tell
                self.unread += 1

    def spans(self, source: str, api_name: ApiName, behind_ns: int = 0, threads_told: bool = True) -> Spans:
        """All that was kept.

        Args:
            source: the tracer's name.
            api_name: names the calls of the API.
            behind_ns: what is taken from each time to get that of CLOCK_MONOTONIC.
            threads_told: whether the threads of calls are ids of the operating system.
        """
        spans = Spans(source)
        launching = {activity.correlation for activity in self.kept if activity.work}
        known: dict[tuple[tuple[str, Any], ...], str] = {}
        for activity in self.kept:
            if (attributes := known.get(activity.facts)) is None:
                attributes = json.dumps(dict(activity.facts), separators=(",", ":")) if activity.facts else ""
                known[activity.facts] = attributes
            kind, name = activity.kind, activity.name
            if activity.call:
                kind = "launch" if activity.correlation in launching else "call"
                name = api_name(activity.call, activity.code)
            called = bool(activity.call)
            spans.add(
                SYSTEM, name, activity.start - behind_ns, activity.end - activity.start, kind=kind,
                thread=activity.thread if threads_told else 0,
                correlation=activity.correlation if called else 0,
                caused_by=0 if called else activity.correlation,
                parent=0 if called or activity.thread or activity.correlation else NO_PARENT,
                attributes=attributes,
            )  # fmt: skip
        return spans

    def _kernel(self, record: Any) -> Activity:
        facts = (
            ("grid", (record.grid_x, record.grid_y, record.grid_z)),
            ("block", (record.block_x, record.block_y, record.block_z)),
            ("registers", int(record.registers_per_thread)),
            ("shared_bytes", int(record.static_shared_memory) + int(record.dynamic_shared_memory)),
            *_where(record),
        )
        return Activity("kernel", demangle(str(record.name)), *_times(record), work=True, facts=facts)

    def _copy(self, record: Any) -> Activity:
        """Between host and device, or between two devices."""
        way = _member(self._cupti.ActivityMemcpyKind, record.copy_kind)
        places = tuple(
            (fact, _member(self._cupti.ActivityMemoryKind, getattr(record, field)).lower())
            for fact, field in (("from", "src_kind"), ("to", "dst_kind"))
        )
        facts = (("bytes", int(record.bytes)), *places, *_where(record))
        return Activity("copy", f"memcpy {way}", *_times(record), work=True, facts=facts)

    def _set(self, record: Any) -> Activity:
        facts = (("bytes", int(record.bytes)), *_where(record))
        return Activity("set", "memset", *_times(record), work=True, facts=facts)

    def _wait(self, record: Any) -> Activity:
        what = _member(self._cupti.ActivitySynchronizationType, record.type)
        return Activity("synchronisation", what.lower().replace("_", " "), *_times(record))

    def _overhead(self, record: Any) -> Activity:
        what = _member(self._cupti.ActivityOverheadKind, record.overhead_kind)
        thread = int(record.object_id.pt.thread_id) if int(record.object_kind) == _THREAD else 0
        start, end, correlation = _times(record)
        return Activity("overhead", what.lower().replace("_", " "), start, end, correlation, thread)


def _call(record: Any, domain: str) -> Activity:
    failed = int(record.return_value)
    facts = (("error", failed),) if failed else ()
    return Activity("call", "", *_times(record), int(record.thread_id), call=domain, code=int(record.cbid), facts=facts)


def _times(record: Any) -> tuple[int, int, int]:
    """Start, end, and the correlation id."""
    return int(record.start), int(record.end), int(getattr(record, "correlation_id", 0))


def _where(record: Any) -> tuple[tuple[str, Any], ...]:
    """The device and the stream; and the graph, for work that a CUDA graph launched."""
    found: tuple[tuple[str, Any], ...] = (("device", int(record.device_id)), ("stream", int(record.stream_id)))
    graph = int(getattr(record, "graph_id", 0))
    return (*found, ("graph", graph)) if graph else found


def _member(enumeration: Any, value: Any) -> str:
    """The name of a member; the number where this version of the binding does not know it."""
    try:
        return str(enumeration(int(value)).name)
    except ValueError:
        return str(int(value))
