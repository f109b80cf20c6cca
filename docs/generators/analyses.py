"""The analyses of a traced run as a table."""

from __future__ import annotations

from generators.markdown import code, from_docstring, table
from mlharness.analysis.catalogue import ANALYSES


def analyses() -> str:
    """Number, name, and what each says of itself."""
    rows = [(found.number, code(found.name), _about(found.make.__doc__, found.number)) for found in ANALYSES]
    return table(("", "name", "what it shows"), rows)


def _about(docstring: str | None, number: str) -> str:
    """The docstring without its number."""
    return " ".join(from_docstring(docstring).split()).removeprefix(f"{number}. ")
