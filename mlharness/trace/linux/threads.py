"""What each thread of this process used so far, from the kernel's files in ``/proc/self/task``."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

TASKS = Path("/proc/self/task")


@dataclass(frozen=True)
class Use:
    """Counters of one thread, which only grow; nanoseconds and numbers, None for what this kernel does not tell.

    ``run_queue_delay_ns`` is the time in which it could have run and no CPU did run it, whether it had been preempted
    or had just been woken. ``preemptions`` are switches that it did not ask for.
    """

    cpu_ns: int | None = None
    run_queue_delay_ns: int | None = None
    waits: int | None = None
    preemptions: int | None = None
    migrations: int | None = None
    minor_faults: int | None = None
    major_faults: int | None = None

    def since(self, before: Use) -> Use:
        """What was used after ``before``."""
        pairs = {field.name: (getattr(self, field.name), getattr(before, field.name)) for field in fields(Use)}
        return Use(**{name: None if now is None else now - (then or 0) for name, (now, then) in pairs.items()})

    def known(self) -> dict[str, int]:
        """All that is not None."""
        return {name: value for name, value in vars(self).items() if value is not None}


def list_threads(tasks: Path = TASKS) -> list[int]:
    """The ids of this process's threads."""
    return sorted(map(int, os.listdir(tasks)))  # noqa: PTH208  # a third of the time, twenty times a second


def read_use(thread: int, tasks: Path = TASKS) -> Use:
    """What a thread used so far; nothing of one that has ended."""
    folder = tasks / str(thread)
    cpu, delay = _schedstat(_text(folder / "schedstat"))
    status = dict(line.split(":", 1) for line in _text(folder / "status").splitlines() if ":" in line)
    fields = _text(folder / "stat").rpartition(")")[2].split()  # the name may hold anything, brackets too
    return Use(
        cpu_ns=cpu,
        run_queue_delay_ns=delay,
        waits=_number(status.get("voluntary_ctxt_switches")),
        preemptions=_number(status.get("nonvoluntary_ctxt_switches")),
        migrations=_migrations(_text(folder / "sched")),
        # Fields 10 and 12 of proc(5); the list begins with field 3.
        minor_faults=int(fields[7]) if fields else None,
        major_faults=int(fields[9]) if fields else None,
    )


def read_uses(tasks: Path = TASKS) -> dict[int, Use]:
    """What every thread used so far."""
    return {thread: read_use(thread, tasks) for thread in list_threads(tasks)}


def own_name(thread: int, tasks: Path = TASKS) -> str:
    """What a thread calls itself, which it has from the one that started it; empty when it has ended."""
    return _text(tasks / str(thread) / "comm").strip()


class Schedstat:
    """CPU time and run-queue delay of every thread, read often: the files stay open, which is ten times as fast."""

    def __init__(self, tasks: Path = TASKS) -> None:
        self._tasks = tasks
        self._open: dict[int, int] = {}

    def read(self) -> dict[int, tuple[int, int]]:
        """For each thread: CPU time and run-queue delay so far, both in nanoseconds."""
        self._follow()
        found: dict[int, tuple[int, int]] = {}
        for thread, descriptor in list(self._open.items()):
            try:
                cpu, delay = _schedstat(os.pread(descriptor, 128, 0).decode())
            except OSError:  # it has ended
                os.close(self._open.pop(thread))
                continue
            if cpu is not None and delay is not None:
                found[thread] = cpu, delay
        return found

    def close(self) -> None:
        """Close the files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _follow(self) -> None:
        for thread in list_threads(self._tasks):
            if thread not in self._open:
                try:
                    self._open[thread] = os.open(self._tasks / str(thread) / "schedstat", os.O_RDONLY | os.O_CLOEXEC)
                except OSError:  # it has ended
                    continue


def _schedstat(text: str) -> tuple[int, int] | tuple[None, None]:
    words = text.split()
    return (int(words[0]), int(words[1])) if len(words) >= 2 else (None, None)


def _migrations(text: str) -> int | None:
    line = next((line for line in text.splitlines() if "nr_migrations" in line), "")
    return _number(line.rpartition(":")[2])


def _number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
