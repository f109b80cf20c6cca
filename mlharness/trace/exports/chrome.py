"""Chrome's trace-event JSON, for chrome://tracing, Perfetto and many others.

Format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (trace event format).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from mlharness.trace.exports.rows import Trace, Track, place

_PROCESS = 1


def write(trace: Trace, file: IO[bytes]) -> int:
    """Write the trace; returns how many spans it holds. Times are microseconds from the first span."""
    file.write(b'{"displayTimeUnit":"ns","traceEvents":[\n')
    for number, event in enumerate(_events(trace)):
        file.write(b",\n" * bool(number) + json.dumps(event, separators=(",", ":")).encode())
    about = {"run": trace.run_id, "clock": "CLOCK_MONOTONIC", "offset_to_unix_ns": trace.offset_ns}
    file.write(b'\n],"otherData":' + json.dumps(about).encode() + b"}\n")
    return len(trace.rows)


def _events(trace: Trace) -> Iterator[dict[str, Any]]:
    origin = trace.rows[0].start_ns if trace.rows else 0
    numbers: dict[Track, int] = {}
    yield {"ph": "M", "pid": _PROCESS, "name": "process_name", "args": {"name": trace.run_id}}
    for row, track, start_ns, end_ns in place(trace.rows):
        number = numbers.get(track)
        if number is None:
            number = numbers[track] = len(numbers) + 1
            yield {"ph": "M", "pid": _PROCESS, "tid": number, "name": "thread_name", "args": {"name": track.label}}
        yield {
            "ph": "X", "pid": _PROCESS, "tid": number, "name": row.name, "cat": row.level,
            "ts": (start_ns - origin) / 1e3, "dur": (end_ns - start_ns) / 1e3, "args": row.facts(),
        }  # fmt: skip
    for reading in trace.readings:
        yield {
            "ph": "C", "pid": _PROCESS, "name": f"{reading.name} ({reading.unit})",
            "ts": (reading.time_ns - origin) / 1e3, "args": {reading.unit or "value": reading.value},
        }  # fmt: skip
