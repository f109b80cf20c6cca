"""What differs between runs, and what of it makes a pair unfair."""

from __future__ import annotations

from generators.markdown import code, table
from mlharness.comparing.fairness import ASPECTS


def aspects() -> str:
    """One row per aspect that is read from the runs; the model's own are told in the text."""
    return table(
        ("aspect", "what is compared", "unfair, since"),
        [(code(aspect.name), aspect.what, aspect.unfair) for aspect in ASPECTS],
    )
