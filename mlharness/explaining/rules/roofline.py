"""Whether operations or memory limit the layers, and how far they are from that limit."""

from __future__ import annotations

from mlharness.explaining.evidence import Evidence
from mlharness.explaining.rules.rule import Fact, Finding, Gain, Rule, Unsaid, amdahl, percent, speed_of
from mlharness.explaining.shares import PREDICT, shares_of
from mlharness.explaining.work import least_ns

BEYOND = 1.05
"""Layers that are faster than the roof by more than this show that it is none."""
NEAR = 0.6
"""From this share of the roof on, only less work makes a layer faster."""


def judge(evidence: Evidence) -> Finding | Unsaid | None:
    """The roofline of the model: the work of all layers that are known. Source: S. Williams et al., CACM 52 (2009)."""
    roofline, layers = evidence.roofline, evidence.layers
    if not roofline.work or roofline.peaks is None:
        return Unsaid(roofline.missing or "operations and bytes of layers are not known")
    peaks, work = roofline.peaks, roofline.work
    spent = sum(one.ns for one in work)
    flops, moved = sum(one.flops for one in work), sum(one.bytes for one in work)
    least = sum(least_ns(one, peaks) for one in work)
    if least > BEYOND * spent:
        return Unsaid(
            f"the layers exceed the host's peaks by {percent(least / spent - 1)}, so that those were measured while it "
            "was busy: remove the folder peaks in the cache, and ask again when it is not"
        )
    compute = sum(one.ns for one in work if one.intensity >= peaks.ridge) / spent
    bound = "compute" if compute >= 0.5 else "memory"
    reached = min(1.0, least / spent)
    shares = shares_of(evidence)
    known = min(1.0, spent * layers.calls / layers.predict_ns) if layers and layers.predict_ns else 1.0
    whole = known * (shares[PREDICT] if shares else 1.0)
    facts = (
        Fact("operations a byte", flops / moved, "FLOP/byte"),
        Fact("ridge of this host", peaks.ridge, "FLOP/byte"),
        Fact("operations a second", 1e9 * flops / spent, "FLOP/s"),
        Fact("highest on this host", peaks.flops_per_s, "FLOP/s"),
        Fact("share of the layers' time in layers that operations limit", compute, "share"),
        Fact("share of the roof that is reached", reached, "share"),
    )
    return Finding(
        f"The layers are {bound}-bound: {flops / moved:.3g} operations a byte, and memory is the limit below "
        f"{peaks.ridge:.3g}. They reach {percent(reached)} of what the host can do (operations and bytes are estimated "
        "from shapes).",
        facts,
        _change(bound, reached),
        whole * (1 - reached),
        Gain(speed_of(evidence), amdahl(whole, 1 / reached),
             f"at the roof the layers would take {percent(reached)} of their time, and they are {percent(whole)} of "
             "all: at most"),
    )  # fmt: skip


def _change(bound: str, reached: float) -> str:
    if reached >= NEAR:
        return (
            "Less work: a smaller or quantised model." if bound == "compute" else
            "Fewer bytes: half precision or int8 weights, or a larger --batch-size, which reads weights once for more "
            "samples."
        )  # fmt: skip
    if bound == "compute":
        return "Other kernels: another framework (--framework), its options (--option), or a larger --batch-size."
    return "Fewer passes over memory: fused layers (the framework's graph optimisations), or another memory format."


RULE = Rule("roofline", "whether operations or memory limit the layers", ("framework",), judge)
