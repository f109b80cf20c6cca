"""Queries that wait for a worker."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlharness.explaining.calls import Calls
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
IDLE = 0.5
"""Workers that are busy less than half of the time are not what queries wait for."""
BEYOND = 3.0
"""A wait of so many times what random arrivals explain has another reason."""


@dataclass(frozen=True)
class Cause:
    """Why queries wait, what to change, and what that brings, or why nothing is predicted."""

    told: str
    change: str
    gain: Gain | None = None
    no_gain: str = ""


def judge(evidence: Evidence) -> Finding | None:
    """Server's and MultiStream's queries wait for a long time before anybody works at them."""
    shares, little, calls = shares_of(evidence), little_of(evidence), evidence.calls
    if shares is None or little is None or calls is None or evidence.setup.scenario == "Offline":
        return None
    queue, busy = shares[QUEUE], little.utilisation
    if queue < WORTH:
        return None
    waited = queue * shares.mean_ns
    cause = find_cause(evidence, calls, little, queue, waited)
    return Finding(
        f"A query waits {duration(waited)} for a worker, {percent(queue)} of its latency; the workers are busy "
        f"{percent(busy)} of the time{cause.told}",
        (
            Fact("share of a query's latency in the queue", queue, "share"),
            Fact("mean wait", waited, "ns"),
            Fact("time in which an instance has a batch in hand", busy, "share"),
        ),
        cause.change,
        queue,
        cause.gain,
        cause.no_gain,
    )


def find_cause(evidence: Evidence, calls: Calls, little: Little, queue: float, waited: float) -> Cause:
    """Why they wait: ``queue`` is the share of the latency, ``waited`` the mean wait in nanoseconds."""
    setup, busy, instances = evidence.setup, little.utilisation, more_instances(evidence)
    more = f"--instances {instances}: cores are idle while queries wait."
    if setup.scenario != "Server":
        why = "queries of MultiStream come one at a time, so that no rate can be lowered"
        change = (
            more if instances else f"--batch-size {max(1, setup.batch_size // 2)}, so that every instance has a part."
        )
        return Cause(".", change, no_gain=why)
    if setup.max_wait_us and busy < IDLE:
        how = "without the wait, at best: the calls of the model are then as many as the queries"
        told = f": most of it is the wait for a batch to fill (--max-wait {setup.max_wait_us / 1000:g})."
        return Cause(told, "--max-wait 0", Gain(LATENCY, 1 / (1 - queue), how))
    if busy >= FULL:
        most = 1e9 * setup.instances * float(calls.size.mean()) / float(calls.whole_ns.mean())
        less = f"--target-qps {ROOM * most:.4g}, {percent(ROOM)} of what the workers can do; or a larger --batch-size."
        why = "a queue that grows has no mean wait from which one could be predicted"
        told = ": they cannot keep up, and the queue grows as long as queries come."
        return Cause(told, more if instances else less, no_gain=why)
    explained = wait(busy, little.instances) * float(calls.whole_ns.mean())
    if waited > BEYOND * explained:
        why = f"random arrivals at workers that are so busy explain {duration(explained)} only"
        change = "Look at what keeps the workers from starting: preemption, other processes, the interpreter."
        return Cause(", which does not explain it.", change, no_gain=why)
    rate = evidence.figures.queries_per_s
    fewer = f"--target-qps {LESS * rate:.4g}, a tenth below today's rate; or " if rate else ""
    larger = f"--batch-size {2 * setup.batch_size}, which answers more of those that wait at once."
    return Cause(".", more if instances else fewer + larger, _gain(queue, little, instances))


def more_instances(evidence: Evidence) -> int | None:
    """How many instances the cores have room for; None when it is not more than there are."""
    setup = evidence.setup
    room = setup.cores // setup.threads
    return room if setup.device == "cpu" and room > setup.instances else None


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
