"""Options that a user or a manifest gives, held against what a provider declared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
}


def resolve_options(what: str, declared: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every declared option with its value: the given one, else its default.

    Args:
        what: names the thing in messages, as "step 'image.resize'".
        declared: the provider's options.
        given: values from a manifest or the command line.

    Raises:
        UserError: an unknown name, a wrong type, a value that is not among the choices, or a missing required option.
    """
    by_name = {option.name: option for option in declared}
    for name in given:
        if name not in by_name:
            raise UserError(f"{what} has no option {name!r}", did_you_mean(name, by_name))
    resolved = {}
    for option in declared:
        if option.name in given:
            check_value(what, option, given[option.name])
        elif option.required:
            raise UserError(f"{what} needs the option {option.name!r} ({option.type})", option.doc)
        resolved[option.name] = given.get(option.name, option.default)
    return resolved


def check_value(what: str, option: Option, value: Any) -> None:
    """Raise UserError unless the value has the option's type and is among its choices."""
    if value is None and option.default is None and not option.required:
        return
    is_boolean = isinstance(value, bool)
    if not isinstance(value, _TYPES[option.type]) or is_boolean != (option.type == "boolean"):
        raise UserError(f"{what}: {option.name} is {value!r}, and must be of type {option.type}", option.doc)
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{what}: {option.name} is {value!r}, and must be a finite number", option.doc)
    if option.choices and value not in option.choices:
        allowed = ", ".join(str(choice) for choice in option.choices)
        raise UserError(f"{what}: {option.name} is {value!r}, and must be one of {allowed}", option.doc)


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
