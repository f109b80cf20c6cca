"""Layers of a traced run: how long each took, and in how much time of predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_LAYERS = """
    SELECT layer.name, any_value(layer.kind), count(*), sum(layer.duration_ns)
    FROM spans AS layer LEFT JOIN spans AS above ON above.id = layer.parent
    WHERE layer.level = 'framework' AND layer.kind <> 'call' AND layer.query >= 0
      AND (above.level IS DISTINCT FROM 'framework' OR above.kind = 'call')
    GROUP BY layer.name ORDER BY 4 DESC, 1
"""
_PREDICT = """
    SELECT coalesce(sum(duration_ns), 0), count(*) FROM spans WHERE level = 'model' AND kind = 'predict' AND query >= 0
"""


@dataclass(frozen=True)
class Layer:
    """A layer: its operator's type, how often it ran, and for how many nanoseconds in all."""

    name: str
    kind: str
    count: int
    ns: int


@dataclass(frozen=True)
class Layers:
    """Layers by falling time, and the calls of the model in which they ran: their number, and nanoseconds in all."""

    layers: tuple[Layer, ...]
    predict_ns: int
    calls: int

    @property
    def layers_ns(self) -> int:
        """The time of all layers."""
        return sum(layer.ns for layer in self.layers)

    def by_kind(self) -> list[tuple[str, int]]:
        """Nanoseconds of each operator type, the most first."""
        found: dict[str, int] = {}
        for layer in self.layers:
            found[layer.kind] = found.get(layer.kind, 0) + layer.ns
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def read_layers(database: Any) -> Layers | None:
    """The layers of an opened trace; None when it has none."""
    rows = database.execute(_LAYERS).fetchall()
    if not rows:
        return None
    predict, calls = database.execute(_PREDICT).fetchone()
    return Layers(tuple(Layer(name, kind, count, int(ns)) for name, kind, count, ns in rows), int(predict), calls)
