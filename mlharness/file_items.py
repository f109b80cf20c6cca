"""Data sets that list their files: the option ``items``, each {file, and one key more}, and what their samples are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Arrays, Option

FILE = "file"


@dataclass(frozen=True)
class ItemForm:
    """What an item looks like.

    Args:
        kind: the kind of data set, for messages.
        key: what stands beside ``file``.
        meaning: of its value, in words.
        fits: whether a value is one.
    """

    kind: str
    key: str
    meaning: str
    fits: Callable[[Any], bool]

    @property
    def option(self) -> Option:
        """The option ``items``."""
        return Option("items", "array", f"A list of {self}.", required=True)

    def __str__(self) -> str:
        return f"{{{FILE}: URI or path, {self.key}: {self.meaning}}}"

    def choose(self, items: Sequence[object], count: int | None) -> list[tuple[str, Any]]:
        """File and value of the first ``count`` items (None: all), all of which are checked.

        Raises:
            UserError: an item that does not have this form, named by its place, counted from 0; or nothing to use.
        """
        chosen = [self._check(f"{self._what}: items[{place}]", item) for place, item in enumerate(items)][:count]
        if not chosen:
            form = f"{{{FILE}, {self.key}}}"
            raise UserError(f"{self._what}: items has nothing to use", f"List at least one {form}, and ask for one.")
        return chosen

    @property
    def _what(self) -> str:
        return f"data-set kind {self.kind!r}"

    def _check(self, where: str, item: object) -> tuple[str, Any]:
        advice = f"Write it as {self}."
        if not isinstance(item, Mapping):
            raise UserError(f"{where} is {item!r}", advice)
        for key in item:
            if key not in (FILE, self.key):
                raise UserError(f"{where} has no key {key!r}", did_you_mean(str(key), (FILE, self.key)))
        for key in (FILE, self.key):
            if key not in item:
                raise UserError(f"{where} has no {key!r}: {dict(item)!r}", advice)
        file, value = item[FILE], item[self.key]
        if not isinstance(file, str) or not file.strip():
            raise UserError(f"{where}: file is {file!r}", advice)
        if not self.fits(value):
            raise UserError(f"{where} ({file}): {self.key} is {value!r}", advice)
        return file, value


def file_sample(path: Path, named: str) -> Arrays:
    """A file's bytes as a sample, uint8 [bytes]. Raises UserError when the file cannot be read any more."""
    try:
        return (np.fromfile(path, dtype=np.uint8),)
    except OSError as error:
        raise UserError(f"{named} cannot be read: {error}", "Do not change files in a run.") from error
