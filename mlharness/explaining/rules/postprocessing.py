"""Postprocessing that takes a large part of the time."""

from __future__ import annotations

from mlharness.explaining.evidence import Evidence
from mlharness.explaining.rules.rule import Fact, Finding, Gain, Rule, amdahl, duration, percent, speed_of
from mlharness.explaining.shares import POSTPROCESS, shares_of

WORTH = 0.15


def judge(evidence: Evidence) -> Finding | None:
    """Postprocessing stands in the figure as predict does."""
    shares, calls = shares_of(evidence), evidence.calls
    if shares is None or calls is None or shares[POSTPROCESS] < WORTH:
        return None
    share, mean = shares[POSTPROCESS], float(calls.postprocess_ns.mean())
    return Finding(
        f"Postprocessing takes {duration(mean)} a batch, {percent(share)} of {shares.of}.",
        (Fact(f"share of {shares.of}", share, "share"), Fact("mean of a batch", mean, "ns"),
         Fact("mean samples of a batch", float(calls.size.mean()))),
        "A step of a plugin, or one that takes a whole batch, in the place of Python for each sample "
        "(the manifest's postprocess).",
        share,
        Gain(speed_of(evidence), amdahl(share, 2.0),
             f"twice as fast, 1 / (1 - {share:.2f} / 2); {amdahl(share, 1e9):.2f} if it took no time at all"),
    )  # fmt: skip


RULE = Rule("postprocess", "postprocessing takes 15 % of the time or more", ("application", "model"), judge)
