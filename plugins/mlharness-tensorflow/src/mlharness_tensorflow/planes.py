"""How TensorFlow's profile (an XSpace) is laid out: planes of lines of events, whose names and facts are numbered.

Times of events are picoseconds after their line's begin, and lines begin nanoseconds after the profile did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST, ENVIRONMENT, DEVICES = "/host:CPU", "Task Environment", "/device:GPU:"
_BEGAN = "profile_start_time"


@dataclass(frozen=True)
class Plane:
    """One plane, with the names of its events and of their facts by number."""

    message: Any
    names: Mapping[int, str]
    facts: Mapping[int, str]

    def value(self, stat: Any) -> Any:
        """A fact's value; a text that stands once in the plane is a reference to it."""
        kind = stat.WhichOneof("value")
        if kind is None:
            return None
        value = getattr(stat, kind)
        return self.facts.get(value, "") if kind == "ref_value" else value

    def facts_of(self, holder: Any) -> dict[str, Any]:
        """All facts of an event, or of the plane, by name."""
        return {self.facts.get(stat.metadata_id, ""): self.value(stat) for stat in holder.stats}


@dataclass(frozen=True)
class Profile:
    """The planes of a profile by name, and when it began (nanoseconds of the wall clock)."""

    planes: Mapping[str, Plane]
    began_ns: int

    def devices(self) -> Iterator[tuple[int, Plane]]:
        """The planes of GPUs, with their numbers."""
        for name, plane in self.planes.items():
            number = name.removeprefix(DEVICES)
            if name.startswith(DEVICES) and number.isdecimal():
                yield int(number), plane


def read_profile(folder: Path) -> Profile:
    """The profile that TensorFlow wrote somewhere below a folder.

    Raises:
        ValueError: there is none, it is cut off, or it does not say when it began.
    """
    found = sorted(folder.rglob("*.xplane.pb"))
    if not found:
        raise ValueError(f"TensorFlow wrote no profile into {folder}")
    return parse_profile(found[-1].read_bytes(), found[-1].name)


def parse_profile(content: bytes, name: str) -> Profile:
    """A profile's bytes; ``name`` is its file's. Raises ValueError as :func:`read_profile`."""
    from google.protobuf.message import DecodeError
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    space = XSpace()
    try:
        space.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(f"{name} is cut off, or no profile of TensorFlow: {error}") from error
    planes = {plane.name: _plane(plane) for plane in space.planes}
    environment = planes.get(ENVIRONMENT)
    began = environment.facts_of(environment.message).get(_BEGAN) if environment else None
    if not isinstance(began, int):
        raise ValueError(f"{name} does not say when it began")  # noqa: TRY004  # it is the file that is wrong
    return Profile(planes, began)


def _plane(message: Any) -> Plane:
    names = {number: data.name for number, data in message.event_metadata.items()}
    facts = {number: data.name for number, data in message.stat_metadata.items()}
    return Plane(message, names, facts)
