"""Profiles as TensorFlow writes them, made up event by event."""

from __future__ import annotations

from typing import Any

from mlharness_tensorflow.planes import ENVIRONMENT
from mlharness_tensorflow.process import import_tensorflow

BEGAN = 1_700_000_000_000_000_000


class MadeProfile:
    """``line()`` adds a thread or a stream, ``event()`` an event to it; times are microseconds after the beginning."""

    def __init__(self, began: int | None = BEGAN) -> None:
        import_tensorflow()
        from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

        self.space = XSpace()
        self._planes: dict[str, Any] = {}
        if began is not None:
            self._stat(self.plane(ENVIRONMENT), self.plane(ENVIRONMENT), "profile_start_time", began)

    def plane(self, name: str = "/host:CPU") -> Any:
        """A plane by its name, which is made when there is none."""
        if name not in self._planes:
            self._planes[name] = self.space.planes.add(name=name)
        return self._planes[name]

    def line(self, number: int, name: str = "python", plane: str = "/host:CPU") -> tuple[Any, Any]:
        """A thread of the CPU, or a stream of another plane."""
        return self.plane(plane), self.plane(plane).lines.add(id=number, name=name)

    def event(self, line: tuple[Any, Any], name: str, start: float, duration: float, **facts: Any) -> None:
        """One event with its facts; a text that begins with ``&`` stands elsewhere in the plane."""
        plane, messages = line
        number = next((key for key, data in plane.event_metadata.items() if data.name == name), 0)
        if not number:
            number = len(plane.event_metadata) + 1
            plane.event_metadata[number].id, plane.event_metadata[number].name = number, name
        event = messages.events.add(
            metadata_id=number, offset_ps=round(start * 1_000_000), duration_ps=round(duration * 1_000_000)
        )
        for fact, value in facts.items():
            self._stat(plane, event, fact, value)

    def _stat(self, plane: Any, holder: Any, name: str, value: Any) -> None:
        stat = holder.stats.add(metadata_id=self._fact(plane, name))
        if isinstance(value, int):
            stat.int64_value = value
        elif value.startswith("&"):
            stat.ref_value = self._fact(plane, value[1:])
        else:
            stat.str_value = value

    def _fact(self, plane: Any, name: str) -> int:
        number: int = next((key for key, data in plane.stat_metadata.items() if data.name == name), 0)
        if not number:
            number = len(plane.stat_metadata) + 1
            plane.stat_metadata[number].id, plane.stat_metadata[number].name = number, name
        return number
