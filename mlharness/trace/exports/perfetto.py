"""Perfetto's native format: protobuf packets with interned names, for https://ui.perfetto.dev and its trace processor.

Format: https://perfetto.dev/docs/reference/synthetic-track-event
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from mlharness.errors import UserError
from mlharness.trace.exports.rows import Row, Trace, Track, place

_SEQUENCE = 1
_MONOTONIC, _REALTIME = 3, 1
"""Perfetto's numbers of the kernel's clocks."""
_CLEARED, _NEEDED = 1, 2
"""Flags of a packet: the interned names begin anew, and are needed to read it."""


def write(trace: Trace, file: IO[bytes]) -> int:
    """Write the trace; returns how many spans it holds. Raises UserError when the package perfetto is not there."""
    try:
        from perfetto.trace_builder.proto_builder import StreamingTraceProtoBuilder
    except ImportError as error:
        raise UserError("the package perfetto is not installed", "Run: pip install 'mlharness[exports]'") from error
    writer = _Writer(StreamingTraceProtoBuilder(file), trace)
    writer.write()
    return len(trace.rows)


class _Writer:
    def __init__(self, builder: Any, trace: Trace) -> None:
        self._builder, self._trace = builder, trace
        self._tracks: dict[object, int] = {}
        self._names: dict[str, int] = {}
        self._levels: dict[str, int] = {}
        self._keys: dict[str, int] = {}

    def write(self) -> None:
        """The clocks, the process, every span with its begin and its end, and every reading."""
        self._clocks()
        self._descriptor(_PROCESS, name=self._trace.run_id)
        pending: dict[Track, list[int]] = {}
        for row, track, start_ns, end_ns in place(self._trace.rows):
            self._end(pending.setdefault(track, []), start_ns, track)
            self._begin(row, track, start_ns)
            pending[track].append(end_ns)
        for track, ends in pending.items():
            self._end(ends, None, track)
        for reading in self._trace.readings:
            self._reading(reading.name, reading.unit, reading.time_ns, reading.value)

    def _packet(self, time_ns: int | None = None) -> Any:
        packet = self._builder.create_packet()
        packet.trusted_packet_sequence_id = _SEQUENCE
        if time_ns is not None:
            packet.timestamp = time_ns
            packet.timestamp_clock_id = _MONOTONIC
        return packet

    def _clocks(self) -> None:
        packet = self._packet()
        packet.sequence_flags = _CLEARED
        start = self._trace.rows[0].start_ns if self._trace.rows else 0
        for clock, moment in ((_MONOTONIC, start), (_REALTIME, start + self._trace.offset_ns)):
            packet.clock_snapshot.clocks.add(clock_id=clock, timestamp=moment)
        self._builder.write_packet(packet)

    def _descriptor(self, key: object, name: str, parent: object = None, counter: str | None = None) -> int:
        """The number of a track, which is described when it is first asked for."""
        known = self._tracks.get(key)
        if known is not None:
            return known
        number = self._tracks[key] = len(self._tracks) + 1
        packet = self._packet()
        described = packet.track_descriptor
        described.uuid, described.name = number, name
        if parent is not None:
            described.parent_uuid = self._tracks[parent]
        if counter is not None:
            described.counter.unit_name = counter
        self._builder.write_packet(packet)
        return number

    def _begin(self, row: Row, track: Track, start_ns: int) -> None:
        number = self._descriptor(track, track.label, _PROCESS)
        packet = self._packet(start_ns)
        packet.sequence_flags = _NEEDED
        event = packet.track_event
        event.type, event.track_uuid = event.TYPE_SLICE_BEGIN, number
        event.name_iid = _interned(self._names, row.name, packet.interned_data.event_names)
        event.category_iids.append(_interned(self._levels, row.level, packet.interned_data.event_categories))
        self._annotate(event, packet, row.facts())
        self._builder.write_packet(packet)

    def _annotate(self, event: Any, packet: Any, facts: Mapping[str, Any]) -> None:
        for key, value in facts.items():
            note = event.debug_annotations.add()
            note.name_iid = _interned(self._keys, key, packet.interned_data.debug_annotation_names)
            if isinstance(value, bool):
                note.bool_value = value
            elif isinstance(value, int):
                note.int_value = value
            elif isinstance(value, float):
                note.double_value = value
            else:
                note.string_value = str(value)

    def _end(self, ends: list[int], until_ns: int | None, track: Track) -> None:
        while ends and (until_ns is None or ends[-1] <= until_ns):
            packet = self._packet(ends.pop())
            packet.track_event.type = packet.track_event.TYPE_SLICE_END
            packet.track_event.track_uuid = self._tracks[track]
            self._builder.write_packet(packet)

    def _reading(self, name: str, unit: str, time_ns: int, value: float) -> None:
        number = self._descriptor(("counter", name), name, _PROCESS, unit)
        packet = self._packet(time_ns)
        event = packet.track_event
        event.type, event.track_uuid, event.double_counter_value = event.TYPE_COUNTER, number, value
        self._builder.write_packet(packet)


_PROCESS = "process"


def _interned(known: dict[str, int], text: str, added: Any) -> int:
    """The number of a text; at its first use it is added to the packet."""
    number = known.get(text)
    if number is None:
        number = known[text] = len(known) + 1
        added.add(iid=number, name=text)
    return number
