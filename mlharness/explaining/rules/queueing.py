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
FULL = 0.95
"""Workers that are as busy as this cannot keep up: the queue grows as long as queries come, and has no mean."""
ROOM = 0.8
"""Of what the workers can do, the rate that leaves them room."""


def judge(evidence: Evidence) -> Finding | None:
    """Server's and MultiStream's queries wait for a long time before anybody works at them."""
    shares, little = shares_of(evidence), little_of(evidence)
    if shares is None or little is None or evidence.setup.scenario == "Offline" or shares[QUEUE] < WORTH:
        return None
    queue, busy = shares[QUEUE], little.utilisation
    full = busy >= FULL and evidence.setup.scenario == "Server"
    facts = (
        Fact("share of a query's latency in the queue", queue, "share"),
        Fact("mean wait", queue * shares.mean_ns, "ns"),
        Fact("time in which an instance has a batch in hand", busy, "share"),
    )
    instances = more_instances(evidence)
    told = ": they cannot keep up, and the queue grows as long as queries come." if full else "."
    return Finding(
        f"A query waits {duration(queue * shares.mean_ns)} for a worker, {percent(queue)} of its latency; "
        f"the workers are busy {percent(busy)} of the time{told}",
        facts,
        _change(evidence, instances, full),
        queue,
        None if full or evidence.setup.scenario != "Server" else _gain(queue, little, instances),
        "a queue that grows has no mean wait from which one could be predicted" if full else
        "queries of MultiStream come one at a time, so that no rate can be lowered",
    )  # fmt: skip


def more_instances(evidence: Evidence) -> int | None:
    """How many instances the cores have room for; None when it is not more than there are."""
    setup = evidence.setup
    room = setup.cores // setup.threads
    return room if setup.device == "cpu" and room > setup.instances else None


def _change(evidence: Evidence, instances: int | None, full: bool) -> str:
    setup, rate, calls = evidence.setup, evidence.figures.queries_per_s, evidence.calls
    if instances:
        return f"--instances {instances}: cores are idle while queries wait."
    if setup.scenario == "Server" and full and calls is not None:
        most = 1e9 * setup.instances * float(calls.size.mean()) / float(calls.whole_ns.mean())
        return f"--target-qps {ROOM * most:.4g}, {percent(ROOM)} of what the workers can do; or a larger --batch-size."
    if setup.scenario == "Server" and rate:
        return (
            f"--target-qps {LESS * rate:.4g}, a tenth below today's rate; or --batch-size {2 * setup.batch_size}, "
            "which answers more of those that wait at once."
        )
    return f"--batch-size {max(1, setup.batch_size // 2)}, so that every instance has a part of a query."


def _gain(queue: float, little: Little, instances: int | None) -> Gain:
    """With more instances, else at a lower rate, by Sakasegawa's approximation of the mean wait."""
    busy, now = little.utilisation, little.instances
    servers, then = (instances, busy * now / instances) if instances else (now, LESS * busy)
    left = wait(then, servers) / wait(busy, now)
    what = f"with {servers} instances" if instances else f"at {percent(LESS)} of the rate"
    return Gain(
        LATENCY,
        1 / (1 - queue + queue * left),
        f"{what} the wait falls to {percent(left)} of today's, by u^(sqrt(2(c+1))-1)/(c(1-u)) with c from {now} to "
        f"{servers} and u from {busy:.2f} to {then:.2f}; the rest of the latency stays",
    )


def wait(utilisation: float, servers: int) -> float:
    """What the mean wait in a queue is in proportion to, at a given time of service.

    Source: H. Sakasegawa, Annals of the Institute of Statistical Mathematics 29 (1977).
    """
    return float(utilisation ** (math.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - utilisation)))


RULE = Rule("queue", "queries wait for a worker for a fifth of their latency or more", ("application", "model"), judge)
