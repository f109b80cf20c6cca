"""The rules of a verdict: what each looks for, and what it needs."""

from __future__ import annotations

from generators.markdown import code, table
from mlharness.explaining.rules import RULES


def listing() -> str:
    """One row a rule."""
    rows = [(code(rule.name), rule.doc, ", ".join(rule.needs) or "no level") for rule in RULES]
    return table(("rule", "speaks when", "needs"), rows)
