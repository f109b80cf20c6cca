"""Options that a user or a manifest gives, held against what a provider declared."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Option

_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "file": (str,),
}


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with the options that somebody gave.

    Attributes:
        option: the option's name, as it was given.
        found: what is wrong, as ``no such option``.
        allowed: what may stand there.
        written: what one of these may be the right spelling of; empty when none is.
        error: the same, for whom one mistake ends it.
    """

    option: str
    found: str
    allowed: tuple[str, ...]
    written: str
    error: UserError


def resolve_options(what: str, declared: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every declared option with its value: the given one, else its default.

    Args:
        what: names the thing in messages, as "step 'image.resize'".
        declared: the provider's options.
        given: values from a manifest or the command line.

    Raises:
        UserError: an unknown name, a wrong type, a value that is not among the choices, or a missing required option.
    """
    for mistake in find_mistakes(what, declared, given):
        raise mistake.error
    return {option.name: given.get(option.name, option.default) for option in declared}


def find_mistakes(what: str, declared: Sequence[Option], given: Mapping[str, Any]) -> Iterator[Mistake]:
    """Everything that :func:`resolve_options` would refuse."""
    by_name = {option.name: option for option in declared}
    for name in given:
        if name not in by_name:
            error = UserError(f"{what} has no option {name!r}", did_you_mean(name, by_name))
            yield Mistake(name, f"{what} has no such option", tuple(by_name) or ("none",), name, error)
    for option in declared:
        if option.name in given:
            yield from find_value_mistakes(what, option, given[option.name])
        elif option.required:
            error = UserError(f"{what} needs the option {option.name!r} ({option.type})", option.doc)
            yield Mistake(option.name, f"missing: {what} needs it", (option.type,), "", error)


def check_value(what: str, option: Option, value: Any) -> None:
    """Raise UserError unless the value has the option's type and is among its choices."""
    for mistake in find_value_mistakes(what, option, value):
        raise mistake.error


def find_value_mistakes(what: str, option: Option, value: Any) -> Iterator[Mistake]:
    """What is wrong with one value: not the option's type, not finite, or not among its choices."""
    if value is None and option.default is None and not option.required:
        return
    is_boolean = isinstance(value, bool)
    allowed: tuple[str, ...] = ()
    written = ""
    if not isinstance(value, _TYPES[option.type]) or is_boolean != (option.type == "boolean"):
        wanted, allowed = f"of type {option.type}", (option.type,)
    elif isinstance(value, float) and not math.isfinite(value):
        wanted, allowed = "a finite number", ("a finite number",)
    elif option.choices and value not in option.choices:
        allowed = tuple(str(choice) for choice in option.choices)
        wanted, written = f"one of {', '.join(allowed)}", str(value)
    if allowed:
        error = UserError(f"{what}: {option.name} is {value!r}, and must be {wanted}", option.doc)
        yield Mistake(option.name, reprlib.repr(value), allowed, written, error)


def parse_option(declared: Sequence[Option], what: str, text: str) -> tuple[str, Any]:
    """One ``KEY=VALUE`` of the command line, with the value turned into the declared type."""
    name, separator, value = text.partition("=")
    by_name = {option.name: option for option in declared}
    if not separator:
        raise UserError(f"--option {text!r} has no '='", "Write --option KEY=VALUE.")
    if name not in by_name:
        raise UserError(f"{what} has no option {name!r}", did_you_mean(name, by_name))
    return name, _convert(what, by_name[name], value)


def _convert(what: str, option: Option, text: str) -> Any:
    try:
        if option.type == "boolean":
            return {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}[text.lower()]
        if option.type == "integer":
            return int(text)
        if option.type == "number":
            return float(text)
    except (KeyError, ValueError):
        raise UserError(f"{what}: {option.name} is {text!r}, and must be of type {option.type}", option.doc) from None
    return text.split(",") if option.type == "array" else text
