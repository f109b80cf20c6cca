"""In which order the runs of a sweep are made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mlharness.sweeping.cells import Cell
from mlharness.sweeping.document import Sweep


@dataclass(frozen=True)
class Unit:
    """One run that a sweep asks for; ``repetition`` counts from 1."""

    cell: Cell
    repetition: int

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from the other runs of its sweep."""
        return self.cell.id, self.repetition


def schedule(sweep: Sweep) -> list[Unit]:
    """Every run of a sweep, in order; always the same for the same sweep."""
    rounds = [round_of(sweep.cells, number) for number in range(1, sweep.repetitions + 1)]
    units = [unit for one in rounds for unit in one]
    if sweep.seed is None:
        return units
    # A digest instead of the random module: the order is the same under every version of Python.
    return sorted(units, key=lambda unit: hashlib.sha256(f"{sweep.seed} {unit.key}".encode()).digest())


def round_of(cells: Sequence[Cell], number: int) -> list[Unit]:
    """Every cell once; every second round is backwards, so that a steady drift is the same for all cells."""
    return [Unit(cell, number) for cell in (cells if number % 2 else reversed(cells))]
