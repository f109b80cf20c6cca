"""Whether the traced run stands for the measured one."""

from __future__ import annotations

from mlharness.explaining.evidence import Evidence
from mlharness.explaining.rules.rule import Fact, Finding, Rule
from mlharness.explaining.shares import little_of

WORTH = 10.0
"""Percent: below, a machine's own spread hides what tracing costs."""


def judge(evidence: Evidence) -> Finding | None:
    """Tracing slowed the run, or Little's law shows another load."""
    slowed, little = evidence.slowdown_percent or 0.0, little_of(evidence)
    differs = little is not None and little.holds is False
    if slowed < WORTH and not differs:
        return None
    told, facts = [], []
    if slowed >= WORTH:
        told.append(f"Tracing slowed the run by {slowed:.0f} %, so that times within predict are too long.")
        facts.append(Fact("slowdown", slowed, "%"))
    if little is not None and little.expected and little.counted is not None and differs:
        told.append(
            f"The traced run had {little.counted:.3g} queries in the system, and by Little's law the measured one had "
            f"{little.expected:.3g}: its waits are not those of the figure."
        )
        facts += [Fact("queries in the traced run", little.counted), Fact("of the measured run", little.expected)]
    return Finding(
        " ".join(told),
        tuple(facts),
        "--trace full --leveled, which takes each level's times from the run without deeper levels; or fewer levels.",
        0.0,
        no_gain="this is about how exact the explanation is, not about the figure",
    )


RULE = Rule("tracing", "the traced run was slower, or had another load than the measured one", (), judge)
