"""The versions of a framework: a published exact version says what a model was written for, a range binds.

Ranges are those of semantic versioning (``^1.8``, ``~1.8.1``, ``1.8.x``, ``1.5 - 1.8``), and become PEP 440 specifiers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_NUMBERS = r"(?:[0-9]{1,9}|[xX*])(?:\.(?:[0-9]{1,9}|[xX*]))*"
_REST = r"(?:[-+]?[A-Za-z][0-9A-Za-z.+-]*|[-+][0-9][0-9A-Za-z.+-]*)?"
_EXACT = re.compile(r"\s*={0,2}\s*v?([0-9][0-9A-Za-z.+-]*)\s*\Z")
_ANY = ("", "*", "x", "X", "latest")
_HYPHEN = re.compile(rf"\s*v?({_NUMBERS})({_REST})\s+-\s+v?({_NUMBERS})({_REST})\s*\Z")
_PART = re.compile(rf"[\s,]*(\^|~>|~=|~|>=|=>|<=|=<|!=|==|=|>|<)?\s*v?({_NUMBERS})({_REST})(?=[\s,]|\Z)")
_SAME = {"=>": ">=", "=<": "<=", "=": "==", "": "==", "~>": "~"}


@dataclass(frozen=True)
class Wish:
    """``specifier`` is a PEP 440 range that binds, empty when any version will do; ``written_for`` an exact version."""

    specifier: str = ""
    written_for: str = ""


@dataclass(frozen=True)
class Bound:
    """A version as a range has it: its numbers up to the first wildcard, and what follows them, as ``-rc1``."""

    numbers: tuple[int, ...]
    rest: str
    partial: bool
    """Whether it stands for all versions that begin like this."""

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers)) + self.rest

    def next(self, place: int) -> str:
        """The first version after all that agree up to a place."""
        return ".".join(map(str, (*self.numbers[:place], self.numbers[place] + 1)))


def read_version(text: str) -> Wish:
    """What a published file says of its framework's version. Raises ValueError when it is neither exact nor a range."""
    if text.strip() in _ANY:
        return Wish()
    exact = _EXACT.match(text)
    if exact and "x" not in exact[1].lower():
        return Wish(written_for=_version(exact[1]))
    specifier = ",".join(filter(None, _between(text) or _all(text)))
    try:
        SpecifierSet(specifier)
    except InvalidSpecifier as error:
        raise ValueError(f"no range: {specifier}") from error
    return Wish(specifier)


def _version(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion as error:
        raise ValueError(f"no version: {text}") from error
    return text


def _between(text: str) -> list[str]:
    """The range of ``1.5 - 1.8``; empty for any other."""
    found = _HYPHEN.match(text)
    if found is None:
        return []
    return [_specifier(">=", _bound(found[1], found[2])), _specifier("<=", _bound(found[3], found[4]))]


def _all(text: str) -> list[str]:
    """The ranges that stand beside each other, with commas or blanks between, all of which hold."""
    specifiers, at, end = [], 0, len(text.rstrip(", \t\n"))
    while at < end:
        found = _PART.match(text, at)
        if found is None:
            raise ValueError(f"no range: {text[at:].strip()}")
        specifiers.append(_specifier(found[1] or "", _bound(found[2], found[3])))
        at = found.end()
    return specifiers


def _bound(numbers: str, rest: str) -> Bound:
    parts = numbers.split(".")
    known = next((index for index, part in enumerate(parts) if part in "xX*"), len(parts))
    return Bound(tuple(map(int, parts[:known])), rest if known == len(parts) else "", known < 3 and not rest)


def _specifier(operator: str, bound: Bound) -> str:
    """One range as PEP 440 writes it; empty when every version is in it."""
    operator = _SAME.get(operator, operator)
    last = len(bound.numbers) - 1
    if last < 0:
        return ""
    if operator == "^":
        place = next((index for index, number in enumerate(bound.numbers) if number), last)
        return f">={bound},<{bound.next(place)}"
    if operator == "~":
        return f">={bound},<{bound.next(min(1, last))}"
    if not bound.partial:
        return f"{operator}{bound}"
    if operator in (">", "<="):
        return f"{'>=' if operator == '>' else '<'}{bound.next(last)}"
    return f"{operator}{bound}.*" if operator in ("==", "!=") else f"{operator}{bound}"
