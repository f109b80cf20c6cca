"""The cells of a sweep: what is asked of one row of its table, and the product that makes them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from mlharness.plan import Scenario

AXES: Mapping[str, tuple[str, Any]] = {
    "model": ("models", None),
    "framework": ("frameworks", None),
    "device": ("devices", "cpu"),
    "batch_size": ("batch_sizes", None),
    "instances": ("instances", None),
    "scenario": ("scenarios", "SingleStream"),
}
"""Each key of a cell: the list of the sweep that gives its values, and what it is without that list."""

Where = Mapping[str, Sequence[Any]]
"""Values by key of a cell."""


@dataclass(frozen=True)
class Cell:
    """What one row of the table asks for.

    ``framework`` is NAME or NAME==VERSION; None is the manifest's. ``settings`` are those of the schema.
    """

    model: str
    framework: str | None
    device: str
    batch_size: int | None
    instances: int | None
    scenario: Scenario
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hex digits of the sha256 of what is asked: the same in every sweep that asks the same."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def __str__(self) -> str:
        parts = [f"{self.model} on {self.framework or 'its framework'}", self.device, self.scenario]
        parts += [f"batch {self.batch_size}"] if self.batch_size is not None else []
        parts += [f"{self.instances} instances"] if self.instances is not None else []
        return ", ".join(parts)


def axes_of(data: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values of each key of a cell, as a sweep's lists give them."""
    found = {key: data.get(name, [default]) for key, (name, default) in AXES.items()}
    found["framework"] = list(frameworks(found["framework"]))
    return {key: list(dict.fromkeys(map(_whole, values))) for key, values in found.items()}


def frameworks(written: Iterable[Any]) -> Iterator[str | None]:
    """Each framework as NAME or NAME==VERSION; a mapping of a name to versions is several."""
    for one in written:
        if isinstance(one, Mapping):
            yield from (f"{name}=={version}" for name, versions in one.items() for version in versions)
        else:
            yield one


def size(axes: Where) -> int:
    """How many cells the product has."""
    return math.prod(len(values) for values in axes.values())


def cells_of(axes: Where, settings: Mapping[str, Any]) -> Iterator[Cell]:
    """The product of the axes, the last of which changes first."""
    for values in product(*(axes[key] for key in AXES)):
        yield Cell(**dict(zip(AXES, values, strict=True)), settings=settings)


def matches(cell: Cell, where: Where) -> bool:
    """Whether a cell has, for each key, one of the values."""
    return all(any(_same(key, getattr(cell, key), value) for value in values) for key, values in where.items())


def where_of(written: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values by key of an include's or exclude's entry, which writes a single one without a list."""
    given = {key: written[key] for key in AXES if key in written}
    return {key: list(map(_whole, value if isinstance(value, list) else [value])) for key, value in given.items()}


def _same(key: str, found: Any, wanted: Any) -> bool:
    if key == "model":
        return fnmatchcase(found, wanted)
    if key == "framework" and found is not None and "==" not in wanted:
        return bool(found.partition("==")[0] == wanted)
    return bool(found == wanted)


def _whole(value: Any) -> Any:
    """For a JSON schema, 1.0 is a whole number too."""
    return int(value) if isinstance(value, float) else value
