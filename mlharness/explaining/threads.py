"""What each thread used during the traced test, as sums: they are known even where its slices are not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_THREADS = """
    SELECT thread, name, duration_ns, attributes FROM spans WHERE level = 'system' AND kind = 'thread' ORDER BY thread
"""


@dataclass(frozen=True)
class Thread:
    """One thread: how long it was watched, ran, and wanted to run on a CPU that was taken; nanoseconds.

    The delay holds both the time after the thread was preempted and that after it was woken; None: not told.
    """

    id: int
    name: str
    watched_ns: int
    cpu_ns: int | None = None
    delay_ns: int | None = None
    preemptions: int | None = None


def read_threads(database: Any) -> tuple[Thread, ...]:
    """The threads of an opened trace."""
    return tuple(_thread(*row) for row in database.execute(_THREADS).fetchall())


def _thread(number: int, name: str, watched: int, attributes: str | None) -> Thread:
    about = json.loads(attributes or "{}")
    return Thread(number, name, watched, about.get("cpu_ns"), about.get("run_queue_delay_ns"), about.get("preemptions"))
