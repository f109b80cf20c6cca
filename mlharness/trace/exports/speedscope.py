"""Speedscope's own format, for https://www.speedscope.app: a profile for each track.

Format: https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources (schema file-format-schema.json).
"""

from __future__ import annotations

import json
from typing import IO, Any

from mlharness.trace.exports.rows import CALLS, Placed, Trace, Track, place

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def write(trace: Trace, file: IO[bytes]) -> int:
    """Write the trace; returns how many spans it holds."""
    frames: dict[tuple[str, str], int] = {}
    tracks: dict[Track, list[Placed]] = {}
    for placed in place(trace.rows):
        tracks.setdefault(placed.track, []).append(placed)
    profiles = [_profile(track, spans, frames) for track, spans in tracks.items()]
    document = {
        "$schema": SCHEMA,
        "name": trace.run_id,
        "exporter": "mlharness",
        "activeProfileIndex": _busiest(tracks),
        "shared": {"frames": [{"name": name, "file": level} for name, level in frames]},
        "profiles": profiles,
    }
    file.write(json.dumps(document, separators=(",", ":")).encode())
    return len(trace.rows)


def _busiest(tracks: dict[Track, list[Placed]]) -> int:
    """The track that is shown first: of those with calls of the model, if there are any, that with the most spans."""
    ranked = [(track.what == CALLS, len(spans)) for track, spans in tracks.items()]
    return ranked.index(max(ranked)) if ranked else 0


def _profile(track: Track, spans: list[Placed], frames: dict[tuple[str, str], int]) -> dict[str, Any]:
    events: list[dict[str, Any]] = []
    open_: list[tuple[int, int]] = []
    for row, _, start_ns, end_ns in spans:
        _close(open_, start_ns, events)
        frame = frames.setdefault((row.name, row.level), len(frames))
        events.append({"type": "O", "frame": frame, "at": start_ns})
        open_.append((end_ns, frame))
    _close(open_, None, events)
    return {
        "type": "evented", "name": track.label, "unit": "nanoseconds",
        "startValue": spans[0].start_ns, "endValue": max(placed.end_ns for placed in spans), "events": events,
    }  # fmt: skip


def _close(open_: list[tuple[int, int]], until_ns: int | None, events: list[dict[str, Any]]) -> None:
    """End the spans that are over by then; None: all."""
    while open_ and (until_ns is None or open_[-1][0] <= until_ns):
        end_ns, frame = open_.pop()
        events.append({"type": "C", "frame": frame, "at": end_ns})
