"""Layers that dominate predict."""

from __future__ import annotations

from mlharness.explaining.evidence import Evidence
from mlharness.explaining.layers import Layer, Layers
from mlharness.explaining.rules.rule import Fact, Finding, Gain, Rule, amdahl, percent, speed_of
from mlharness.explaining.shares import PREDICT, shares_of

MOST = 0.5
"""The layers are named that make half of the layers' time."""
FEW = 5
"""When half of it needs more layers than these, none dominates, and only the operator type is told."""


def judge(evidence: Evidence) -> Finding | None:
    """Which operator type takes most, and which layers make half of the time."""
    layers, shares = evidence.layers, shares_of(evidence)
    if layers is None or not layers.predict_ns or not layers.layers_ns:
        return None
    kind, spent = layers.by_kind()[0]
    share = spent / layers.layers_ns
    few = dominating(layers)
    whole = share * min(1.0, layers.layers_ns / layers.predict_ns) * (shares[PREDICT] if shares else 1.0)
    count = sum(layer.kind == kind for layer in layers.layers)
    names = ", ".join(f"{layer.name} {percent(layer.ns / layers.layers_ns)}" for layer in few)
    told = f" Half of it is {names}." if len(few) <= FEW else f" No few layers make half of it: it takes {len(few)}."
    facts = (
        Fact(f"share of {kind} in the layers' time", share, "share"),
        Fact("share of the layers in predict", layers.layers_ns / layers.predict_ns, "share"),
        *(Fact(f"share of layer {layer.name}", layer.ns / layers.layers_ns, "share") for layer in few[:FEW]),
    )
    return Finding(
        f"{count} {'layer' if count == 1 else 'layers'} of type {kind} take {percent(share)} of the layers' time."
        f"{told}",
        facts,
        f"Another implementation of {kind}: the framework's options (mlh bench --option), another framework "
        "(--framework), or a smaller or quantised model.",
        whole,
        Gain(speed_of(evidence), amdahl(whole, 2.0),
             f"with {kind} twice as fast, 1 / (1 - {whole:.2f} / 2); it is {percent(whole)} of all"),
    )  # fmt: skip


def dominating(layers: Layers) -> list[Layer]:
    """The fewest layers that make half of the layers' time."""
    found: list[Layer] = []
    for layer in layers.layers:
        if sum(one.ns for one in found) >= MOST * layers.layers_ns:
            break
        found.append(layer)
    return found


RULE = Rule("layers", "which operator type and which layers take most of predict", ("framework",), judge)
