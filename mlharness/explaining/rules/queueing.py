"""Queries that wait for a worker."""

from __future__ import annotations

import math

from mlharness.explaining.evidence import Evidence
from mlharness.explaining.rules.rule import LATENCY, Fact, Finding, Gain, Rule, duration, percent
from mlharness.explaining.shares import QUEUE, Little, little_of, shares_of

WORTH = 0.2
"""Below a fifth of the latency, waiting is what random arrivals cost on a system with room."""
LESS = 0.9
"""The rate for which a gain is predicted, as a share of today's."""
FULL = 0.98
"""Beyond this utilisation the formula grows without bounds, and so do queues."""


def judge(evidence: Evidence) -> Finding | None:
    """Server's and MultiStream's queries wait for a long time before anybody works at them."""
    shares, little = shares_of(evidence), little_of(evidence)
    if shares is None or little is None or evidence.setup.scenario == "Offline" or shares[QUEUE] < WORTH:
        return None
    queue, busy = shares[QUEUE], little.utilisation
    facts = (
        Fact("share of a query's latency in the queue", queue, "share"),
        Fact("mean wait", queue * shares.mean_ns, "ns"),
        Fact("time in which an instance has a batch in hand", busy, "share"),
    )
    return Finding(
        f"A query waits {duration(queue * shares.mean_ns)} for a worker, {percent(queue)} of its latency; "
        f"the workers are busy {percent(busy)} of the time.",
        facts,
        _change(evidence),
        queue,
        _gain(queue, little, evidence) if evidence.setup.scenario == "Server" else None,
        "queries of MultiStream come one at a time, so that no rate can be lowered",
    )


def _change(evidence: Evidence) -> str:
    setup, rate = evidence.setup, evidence.figures.queries_per_s
    if setup.instances * setup.threads < setup.cores:
        return f"--instances {setup.cores // setup.threads}: cores are idle while queries wait."
    if setup.scenario == "Server" and rate:
        return (
            f"--target-qps {LESS * rate:.4g}, a tenth below today's rate; or --batch-size {2 * setup.batch_size}, "
            "which answers more of those that wait at once."
        )
    return f"--batch-size {max(1, setup.batch_size // 2)}, so that every instance has a part of a query."


def _gain(queue: float, little: Little, evidence: Evidence) -> Gain:
    """At a lower rate by Sakasegawa's approximation: the wait is in proportion to u^(sqrt(2(c+1)) - 1) / (1 - u).

    Source: H. Sakasegawa, Annals of the Institute of Statistical Mathematics 29 (1977).
    """
    busy = min(FULL, little.utilisation)
    left = wait(LESS * busy, little.instances) / wait(busy, little.instances) if busy else 0.0
    return Gain(
        LATENCY,
        1 / (1 - queue + queue * left),
        f"at 90 % of the rate the wait falls to {percent(left)} of today's, by u^(sqrt(2(c+1))-1)/(1-u) with "
        f"c = {little.instances} and u from {busy:.2f} to {LESS * busy:.2f}; the rest of the latency stays",
    )


def wait(utilisation: float, servers: int) -> float:
    """What the mean wait in a queue is in proportion to."""
    return float(utilisation ** (math.sqrt(2 * (servers + 1)) - 1) / (1 - utilisation))


RULE = Rule("queue", "queries wait for a worker for a fifth of their latency or more", ("application", "model"), judge)
