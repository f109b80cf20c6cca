"""A document of our format in the making: each value is put with the key of the published file that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from mlharness.manifest.located import KeyPath, Located, Place
from mlharness.manifest.problems import Problem, dotted


class Draft:
    """What becomes of a published file.

    Attributes:
        old: the file's own mapping, which follows the schema of its format.
        kept: what our format has no key for: its path, its value, and the key that it comes from.
    """

    def __init__(self, located: Located) -> None:
        self.old: Mapping[str, Any] = located.data
        self.kept: list[tuple[KeyPath, Any, KeyPath]] = []
        self._located = located
        self._data: dict[str, Any] = {}
        self._keys: dict[KeyPath, Place] = {}
        self._values: dict[KeyPath, Place] = {(): located.place(())}
        self._origins: dict[KeyPath, KeyPath] = {(): ()}
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._inside: dict[KeyPath, list[KeyPath]] = {}
        for key in located.values:
            if key:
                self._inside.setdefault(key[:-1], []).append(key)

    def put(self, key: KeyPath, value: Any, *origin: str | int) -> None:
        """Put a value at a key, with the places of what it comes from; what is inside it as it is stays in place."""
        for length in range(1, len(key)):
            self.place(key[:length], *origin)
        self.place(key, *origin)
        _set(self._data, key, value)
        self._copy_places(key, origin)

    def keep(self, key: KeyPath, value: Any, *origin: str | int) -> None:
        """Put aside what our format has no key for."""
        self.kept.append((key, value, origin))

    def place(self, key: KeyPath, *origin: str | int) -> None:
        """Say where a key stands, unless that has been said: it comes from this one of the published file."""
        if key not in self._values:
            self._values[key] = self._located.place(origin)
            self._origins[key] = origin
            if origin in self._located.keys:
                self._keys[key] = self._located.keys[origin]

    def written(self, *origin: str | int) -> str:
        """A scalar as it stands in the file; of 1.0 the text."""
        return self._located.place(origin).written

    def text_lines(self, *origin: str | int) -> int:
        """The line on which a text begins."""
        return self._located.place(origin).text_line

    def warn(self, found: str, *origin: str | int) -> None:
        """Note what of the file is deprecated, or read otherwise than it is written."""
        self._warnings.append(self._problem(found, "", origin))

    def refuse(self, found: str, allowed: str, *origin: str | int) -> None:
        """Note what of the file cannot be read."""
        self._problems.append(self._problem(found, allowed, origin))

    def finish(self) -> Located:
        """The file as one of our format; as it is, with its problems, when there were any."""
        old = self._located
        if self._problems:
            return Located(old.path, old.sha256, old.data, old.keys, old.values, problems=tuple(self._problems))
        warnings = sorted(self._warnings, key=lambda warning: warning.line)
        return Located(
            old.path, old.sha256, self._data, self._keys, self._values, self._origins, warnings=tuple(warnings)
        )

    def _problem(self, found: str, allowed: str, origin: KeyPath) -> Problem:
        return Problem(str(self._located.path), self._located.line(origin), dotted(origin), found, allowed)

    def _copy_places(self, key: KeyPath, origin: KeyPath) -> None:
        waiting = list(self._inside.get(origin, ()))
        while waiting:
            inner = waiting.pop()
            self.place((*key, *inner[len(origin) :]), *inner)
            waiting += self._inside.get(inner, ())


def _set(data: Any, key: KeyPath, value: Any) -> None:
    """Put a value into nested mappings and lists, which are made as they are needed; lists grow by one at a time."""
    for name, following in pairwise(key):
        if isinstance(data, list):
            if name == len(data):
                data.append([] if isinstance(following, int) else {})
            data = data[int(name)]
        else:
            data = data.setdefault(name, [] if isinstance(following, int) else {})
    if isinstance(data, list):
        data.append(value)
    else:
        data[key[-1]] = value
