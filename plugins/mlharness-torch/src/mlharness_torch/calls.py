"""The calls of one predictor in a traced test: when each ran, with which form of batch, and whether it is recorded."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlharness.providers import Array
from mlharness_torch.reference import Reference

Form = tuple[tuple[int, ...], ...]
MOST_FORMS = 16
"""Of so many forms a batch is kept, to call the model with once more."""
MOST_BYTES = 1 << 28
_COUNTED = 3
"""In so many calls before the test operators are counted: a TorchScript's first ones have others."""


@dataclass
class Calls:
    """Written by the predictor's thread, read when that has ended.

    Args:
        events: so many operators may be recorded.
        every: every so many calls are wanted.
        first: no more than the first so many; 0 for all.
    """

    events: int
    every: int = 1
    first: int = 0
    thread: int = 0
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    forms: array[int] = field(default_factory=lambda: array("q"))
    """Wall-clock nanoseconds, and the number of the batch's form, of each call that was recorded."""
    batches: dict[int, dict[str, Array]] = field(default_factory=dict)
    """A batch of each form, by its number."""
    references: dict[int, Reference] = field(default_factory=dict)
    """What is known of the operators of each form."""
    missed: int = 0
    """Wanted calls that were beyond ``events``."""
    notes: list[str] = field(default_factory=list)
    _known: dict[Form, int] = field(default_factory=dict)
    _bytes: int = 0
    _seen: int = 0
    _counted: int = 0
    _most: int = 0

    def form(self, batch: Mapping[str, Array]) -> int:
        """The number of a batch's form: the shapes of its arrays. The first of each form is kept."""
        form = tuple([array.shape for array in batch.values()])
        number = self._known.get(form)
        if number is None:
            number = self._known[form] = len(self._known)
            self._bytes += sum(array.nbytes for array in batch.values())
            if number < MOST_FORMS and self._bytes <= MOST_BYTES:
                self.batches[number] = {name: array.copy() for name, array in batch.items()}
        return number

    def counts(self) -> bool:
        """Whether the operators of a call before the test are still to be counted."""
        return self._counted < _COUNTED

    def count(self, operators: int) -> None:
        """A call before the test had so many operators."""
        self._counted += 1
        self._most = max(1, self.events // max(1, operators))

    def wanted(self) -> bool:
        """Whether the next call of the test is to be recorded."""
        number, done = self._seen, len(self.starts)
        self._seen += 1
        if number % self.every or (self.first and done >= self.first):
            return False
        if self._most and done >= self._most:
            self.missed += 1
            return False
        return True

    def add(self, start_ns: int, end_ns: int, form: int) -> None:
        """A call was recorded."""
        self.starts.append(start_ns)
        self.ends.append(end_ns)
        self.forms.append(form)
