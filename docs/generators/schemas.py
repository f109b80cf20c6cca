"""The schemas of ``schemas/`` as tables: one row per key, with the keys inside it below."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generators.markdown import code, table

SCHEMAS = Path(__file__).parents[2] / "schemas"
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
    "null": "null",
}
Schema = Mapping[str, Any]


def fields(name: str, notes: Mapping[str, str] | None = None) -> str:
    """The table of ``schemas/NAME.v1.schema.json``.

    Args:
        name: ``model``, ``dataset``, ``sweep`` or ``result``.
        notes: meanings of keys for which the schema has no description.

    Raises:
        ValueError: a note for a key that is not there, or that the schema describes itself.
    """
    whole = json.loads((SCHEMAS / f"{name}.v1.schema.json").read_text("utf-8"))
    left = dict(notes or {})
    rows = []
    for key, schema, required in walk(whole, whole, ""):
        meaning = schema.get("description", "") or left.pop(key, "")
        rows.append((code(key), kind(schema), "yes" if required else "", meaning + default(schema)))
    if left:
        raise ValueError(f"notes for keys that schema {name!r} does not have, or describes itself: {sorted(left)}")
    return table(("key", "type", "required", "meaning"), rows)


def walk(whole: Schema, schema: Schema, prefix: str) -> Iterator[tuple[str, Schema, bool]]:
    """Every key of a mapping and of what is inside it: dotted path, schema, and whether it must be there."""
    for name, raw in schema.get("properties", {}).items():
        key, about = f"{prefix}{name}", resolve(whole, raw)
        yield key, about, name in schema.get("required", ())
        inner, path = about, key
        if "$ref" not in raw and "items" in about:
            inner, path = resolve(whole, about["items"]), f"{key}[]"
            if "$ref" in about["items"]:
                continue  # the keys inside stand where the reference points to
        yield from walk(whole, inner, f"{path}.")


def resolve(whole: Schema, schema: Schema) -> Schema:
    """The schema that a reference inside the same file points to; any other schema as it is."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}


def kind(schema: Schema) -> str:
    """What may stand at a key, in a few words."""
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return (
            " or ".join(code("null" if one is None else one) for one in schema["enum"])
            if len(schema["enum"]) <= 5
            else "one of a list"
        )
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(kind, schema["anyOf"])))
    types = schema.get("type", "object")
    words = [_WORDS[name] for name in ([types] if isinstance(types, str) else types)]
    return " or ".join(words)


def default(schema: Schema) -> str:
    """The default, as a sentence to add; empty when there is none."""
    return f" Default: `{json.dumps(schema['default'])}`." if "default" in schema else ""
