"""The profile that MXNet writes: operators with type, start, end and thread, in the text of Chrome's trace events.

Its records hold no names of layers and no shapes. Its threads are hashes of pthread handles, which can be made again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MOST_OPERATORS = 250_000
"""Operators that are read from one profile; the others are counted. Reading so many takes two seconds."""

_HEAD = 64
"""In so many bytes stands what a profile begins with."""
_RECORD = (
    rb'\{\s*"name": "([^"]*)",\s*"cat": "operator",\s*"ph": "%b",\s*"ts": (\d+),\s*"pid": \d+,\s*"tid": (\d+)\s*\}'
)
_OPERATOR = re.compile(_RECORD % b"B" + rb"\s*,\s*" + _RECORD % b"E")
_BEGIN = re.compile(rb'"cat": "operator",\s*"ph": "B"')


@dataclass(frozen=True)
class Event:
    """One operator that ran: its type, its bounds in microseconds of the wall clock, and its thread's hash."""

    type: str
    start_us: int
    end_us: int
    thread: int


@dataclass(frozen=True)
class Profile:
    """What a profile holds. ``complete`` is false for a file that is cut off; ``dropped`` counts what was not read."""

    events: tuple[Event, ...]
    complete: bool
    dropped: int


def read_profile(path: Path, most: int = MOST_OPERATORS) -> Profile:
    """Every whole record of a profile, also of one that is no valid JSON any more.

    Raises:
        ValueError: the file is no profile.
        OSError: it is not there.
    """
    text = path.read_bytes()
    if b'"traceEvents"' not in text[:_HEAD]:
        raise ValueError(f"{path.name} is no profile of MXNet")
    events: list[Event] = []
    for found in _OPERATOR.finditer(text):
        if len(events) >= most:
            break
        name, start, thread, _, end, _ = found.groups()
        events.append(Event(name.decode("utf-8", "replace"), int(start), int(end), int(thread)))
    begun = sum(1 for _ in _BEGIN.finditer(text)) if len(events) >= most else len(events)
    return Profile(tuple(events), text.rstrip().endswith(b"}"), begun - len(events))
