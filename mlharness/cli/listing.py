"""What ``mlh models`` and ``mlh datasets`` have in common: a table of manifests, and one manifest in full."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mlharness.cli.output import Output, print_document


def show_listings(output: Output, kind: str, listings: Sequence[Any]) -> None:
    """Every manifest of a kind (``models``, ``datasets``): name, version, plugin, description, or what is wrong."""
    keys = ("name", "version", "plugin", "description", "path", "error")
    rows = [{key: getattr(listing, key) or None for key in keys} for listing in listings]
    output.show(lambda: {kind: rows}, lambda: _print_rows(output, kind, rows))


def show_manifest(output: Output, manifest: Any) -> None:
    """One manifest, as it was understood; with ``-v`` what the manifest leaves at its default too."""
    import msgspec

    output.show(lambda: manifest, lambda: None)
    if output.json:
        return
    for field in dataclasses.fields(manifest):
        value = getattr(manifest, field.name)
        if field.name == "alternatives" and value:  # each is a whole manifest: --json has them
            _print_field(output, "also on", [other.framework.name for other in value])
        elif field.name != "overrides" and (output.verbose or value != _default(field)):
            _print_field(output, field.name, msgspec.to_builtins(value, enc_hook=str, str_keys=True))


def show_fields(output: Output, fields: Mapping[str, Any]) -> None:
    """Named values, one inside another."""
    if output.json:
        print_document(fields)
        return
    for name, value in fields.items():
        _print_field(output, name, value)


def _print_rows(output: Output, kind: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        output.note(f"No {kind}: no installed plugin ships any, or all are blocked. See: mlh plugins")
        return
    columns = ("NAME", "VERSION", "PLUGIN", "DESCRIPTION")
    output.table(columns, [[row["name"] or str(row["path"]), *_about(row)] for row in rows])


def _about(row: dict[str, Any]) -> list[str]:
    about = f"unusable: {row['error']}" if row["error"] else (row["description"] or "")
    return [row["version"] or "", row["plugin"] or "", " ".join(about.split())]


def _default(field: dataclasses.Field[Any]) -> Any:
    """A field's default; for a field without one, something that equals nothing."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _print_field(output: Output, name: str, value: Any, indent: str = "") -> None:
    """A field as ``name: value``, with what is inside it indented below; empty things inside only with ``-v``."""
    if indent and not output.verbose and value in (None, "", [], {}, ()):
        return
    if isinstance(value, dict):
        output.line(f"{indent}{name}:")
        for key, inner in value.items():
            _print_field(output, str(key), inner, indent + "  ")
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        output.line(f"{indent}{name}:")
        for number, item in enumerate(value, start=1):
            _print_field(output, str(number), item, indent + "  ")
    else:
        text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        output.line(f"{indent}{name}: {text.strip()}".replace("\n", f"\n{indent}  "))
