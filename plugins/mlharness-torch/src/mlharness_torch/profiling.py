"""Profiles by Kineto, and their events in the order in which they began."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

from torch.autograd import profiler

ONE_PROFILE = threading.Lock()
"""Held by whoever profiles a thread of its own: Kineto keeps one profile in a process."""
_NO_OPERATORS = ("[", "profiler::", "__")
"""How the names of events begin that stand for no operator: memory, and the profiler's own."""


class Begun(NamedTuple):
    """An operator; of those that began together, the longest comes first. Nanoseconds of the wall clock."""

    start: int
    minus_duration: int
    place: int
    """In the profile's list of events."""
    name: str

    @property
    def end(self) -> int:
        """When it ended."""
        return self.start - self.minus_duration


def profile(all_threads: bool = False, cuda: bool = False, **more: Any) -> Any:
    """A profile of the calling thread or of all, with CUDA's activities or without; to be used in a ``with``."""
    config = profiler._ExperimentalConfig(profile_all_threads=True) if all_threads else None
    return profiler.profile(use_kineto=True, use_device="cuda" if cuda else None, experimental_config=config, **more)


def by_thread(events: Iterable[Any]) -> dict[int, list[Begun]]:
    """The operators of each thread, by its id in the operating system."""
    found: dict[int, list[Begun]] = {}
    for place, event in enumerate(events):
        name = event.name()
        if not name.startswith(_NO_OPERATORS):
            begun = Begun(event.start_ns(), -event.duration_ns(), place, name)
            found.setdefault(event.device_resource_id(), []).append(begun)
    for operators in found.values():
        operators.sort()
    return found
