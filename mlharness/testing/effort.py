"""How much a call does, its lines of Python, which are the same on every machine; and on which cores, of how many."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time
from types import FrameType
from typing import Any


def lines_run(call: Callable[[], Any], package: str) -> int:
    """The lines of Python that a call executes in one top-level package, each as often as it is executed.

    Lines of other packages do not count: a framework's own Python is not its plugin's. A comprehension counts one
    line for each item.
    """
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if top_level(frame.f_globals.get("__name__", "")) != package:
            return None
        count += event == "line"
        return trace

    outer = sys.gettrace()  # a debugger's, or that of coverage
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(outer)
    return count


def top_level(module: str) -> str:
    """The top-level package of a module's name."""
    return module.partition(".")[0]


def package_of(thing: Any) -> str:
    """The top-level package that a function, or an object's class, was written in."""
    module = getattr(thing, "__module__", None) or type(thing).__module__
    return top_level(module)


def cores_used(call: Callable[[], Any], seconds: float) -> float:
    """Processor time of this process over wall time, while a call is made again and again for so many seconds."""
    wall, used = perf_counter(), process_time()
    while perf_counter() - wall < seconds:
        call()
    return (process_time() - used) / (perf_counter() - wall)


def thread_affinities() -> Iterator[set[int]]:
    """The cores that each thread of this process may use, whoever started it."""
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            yield os.sched_getaffinity(int(task.name))
