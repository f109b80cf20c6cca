"""Holds a manifest against its schema, and says everything that is wrong in words of the manifest.

The schemas stand in ``schemas/``; what a schema cannot say is in :mod:`mlharness.manifest.meaning`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from mlharness.manifest.located import KeyPath, Located
from mlharness.manifest.problems import Problem, closest, dotted, show
from mlharness.resources import resource_folder

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

KINDS = ("model", "dataset")

_TYPES: Mapping[str, str] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def find_problems(located: Located) -> list[Problem]:
    """Every place at which a file departs from its schema, sorted by line.

    A file that does not say its kind has no schema: that is its one problem.
    """
    kind = located.data.get("kind")
    if kind not in KINDS:
        return [_kind_problem(located, kind)]
    return find_departures(located, kind)


def find_departures(located: Located, schema: str) -> list[Problem]:
    """Every place at which a file departs from the schema of that name, sorted by line."""
    found = {problem for error in validator(schema).iter_errors(located.data) for problem in explain(located, error)}
    return sorted(found, key=lambda problem: (problem.line, problem.key, problem.found))


@functools.cache
def validator(schema: str) -> Draft202012Validator:
    """The validator of a schema, by its name; made when first asked for, since jsonschema takes long to import."""
    from jsonschema import Draft202012Validator

    text = (resource_folder("schemas") / f"{schema}.v1.schema.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def explain(located: Located, error: ValidationError) -> Iterator[Problem]:
    """One error of jsonschema as problems: one for each unknown key, else one."""
    key: KeyPath = tuple(error.absolute_path)
    yield from _EXPLAINERS.get(str(error.validator), _explain_other)(located, key, error)


def problem_at(located: Located, key: KeyPath, found: str, allowed: str = "", suggestion: str = "") -> Problem:
    """A problem at a key of a file."""
    return Problem(str(located.path), located.line(key), dotted(located.origin(key)), found, allowed, suggestion)


def _kind_problem(located: Located, kind: Any) -> Problem:
    if "kind" not in located.data:
        near = closest("kind", (key for key in located.data if key.casefold().startswith("k")))
        return problem_at(located, ("kind",), "missing" + (f"; there is {near!r}" if near else ""), ", ".join(KINDS))
    suggestion = closest(kind, KINDS) if isinstance(kind, str) else ""
    return problem_at(located, ("kind",), show(kind), ", ".join(KINDS), suggestion)


def _explain_unknown(located: Located, key: KeyPath, error: ValidationError) -> Iterator[Problem]:
    known = list(_schema(error)["properties"])
    for name in cast("dict[str, Any]", error.instance):
        if name not in known:
            suggestion = closest(name, known)
            yield problem_at(located, (*key, name), "unknown key", ", ".join(known), suggestion)


def _explain_missing(located: Located, key: KeyPath, error: ValidationError) -> Iterator[Problem]:
    for name in _limit(error):
        if name not in cast("dict[str, Any]", error.instance):
            about = _schema(error)["properties"][name]
            yield problem_at(located, (*key, name), "missing", allowed_values(about))


def _explain_type(located: Located, key: KeyPath, error: ValidationError) -> Iterator[Problem]:
    value = error.instance
    wants_text = _limit(error) == "string"
    written = located.place(key).written if wants_text and not isinstance(value, (dict, list)) else ""
    yield problem_at(located, key, show(value), allowed_values(_schema(error)), written)


def _explain_choice(located: Located, key: KeyPath, error: ValidationError) -> Iterator[Problem]:
    choices = [str(choice) for choice in _schema(error).get("enum", [_schema(error).get("const")])]
    suggestion = closest(error.instance, choices) if isinstance(error.instance, str) else ""
    yield problem_at(located, key, show(error.instance), ", ".join(choices), suggestion)


def _explain_pattern(located: Located, key: KeyPath, error: ValidationError) -> Iterator[Problem]:
    meaning, _, form = str(_schema(error)["description"]).rstrip(".").partition(": ")
    yield problem_at(located, key, show(error.instance), form or meaning)


def _explain_limit(located: Located, key: KeyPath, error: ValidationError) -> Iterator[Problem]:
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "minLength": "at least {} character",
        "maxLength": "at most {} characters",
        "minItems": "at least {} item",
        "minProperties": "a mapping of one name",
        "maxProperties": "a mapping of one name",
    }
    value = error.instance
    found = f"{show(value)} of {len(value)}" if isinstance(value, (dict, list)) else show(value)
    yield problem_at(located, key, found, words[str(error.validator)].format(_limit(error)))


def _explain_branches(located: Located, key: KeyPath, error: ValidationError) -> Iterator[Problem]:
    """A value that fits no branch: what is wrong in the one branch of its type, else what the branches are."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting = [errors for errors in branches.values() if not any(_at_branch_root(inner, error) for inner in errors)]
    if len(fitting) == 1:
        for inner in fitting[0]:
            yield from explain(located, inner)
        return
    allowed = " or ".join(dict.fromkeys(allowed_values(branch) for branch in _limit(error)))
    found = show(error.instance) if branches else f"{show(error.instance)}, which fits more than one form"
    yield problem_at(located, key, found, allowed)


def _at_branch_root(inner: ValidationError, outer: ValidationError) -> bool:
    """True when the branch is meant for another value: its type, or the choice that tells it from others, differs."""
    return inner.absolute_path == outer.absolute_path and inner.validator in ("type", "enum", "const", "required")


def _explain_other(located: Located, key: KeyPath, error: ValidationError) -> Iterator[Problem]:
    yield problem_at(located, key, error.message)


def allowed_values(schema: Mapping[str, Any]) -> str:
    """What a schema lets stand: its choices, else its types, in words."""
    if "enum" in schema:
        return ", ".join(str(choice) for choice in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    return " or ".join(_TYPES[name] for name in _as_list(schema.get("type", []))) or schema.get("title", "")


def _schema(error: ValidationError) -> Mapping[str, Any]:
    """The part of the schema that was broken; jsonschema types it for schemas that are true or false, too."""
    return cast("Mapping[str, Any]", error.schema)


def _limit(error: ValidationError) -> Any:
    """The value of the keyword that was broken."""
    return error.validator_value


def _as_list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


_Explainer = Callable[[Located, KeyPath, "ValidationError"], Iterator[Problem]]
_EXPLAINERS: Mapping[str, _Explainer] = {
    "additionalProperties": _explain_unknown,
    "required": _explain_missing,
    "type": _explain_type,
    "enum": _explain_choice,
    "const": _explain_choice,
    "pattern": _explain_pattern,
    "anyOf": _explain_branches,
    "oneOf": _explain_branches,
    **dict.fromkeys(
        ("minimum", "exclusiveMinimum", "minLength", "maxLength", "minItems", "minProperties", "maxProperties"),
        _explain_limit,
    ),
}
