"""Layers of a traced run: how long each took, and in how much time of predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlharness.analysis.placing import place

TRIMMED = 0.2
"""Of the calls of the model so many of the fastest, and of the slowest, are left out: a disturbance is no layer's."""

_KEPT = f"""
    CREATE TABLE kept AS
    SELECT id, duration_ns FROM spans WHERE level = 'model' AND kind = 'predict' AND query >= 0
    QUALIFY row_number() OVER (ORDER BY duration_ns, id) - 1
        BETWEEN floor({TRIMMED} * count(*) OVER ()) AND count(*) OVER () - floor({TRIMMED} * count(*) OVER ()) - 1
"""  # noqa: S608  # a number of this module
_LAYERS = """
    SELECT span.name, any_value(span.kind), count(*), sum(span.duration_ns)
    FROM placed JOIN kept ON kept.id = placed.call JOIN spans AS span ON span.id = placed.id
    WHERE NOT placed.kernel GROUP BY span.name ORDER BY 4 DESC, 1
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
    """The layers of an opened trace, in the calls that are kept; None when it has none."""
    placed = place(database)
    database.register("placed", {"id": placed.id, "call": placed.call, "kernel": placed.kernel})
    database.execute(_KEPT)
    rows = database.execute(_LAYERS).fetchall()
    if not rows:
        return None
    predict, calls = database.execute("SELECT sum(duration_ns), count(*) FROM kept").fetchone()
    return Layers(tuple(Layer(name, kind, count, int(ns)) for name, kind, count, ns in rows), int(predict), calls)
