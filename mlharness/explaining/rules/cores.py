"""Cores: more threads than there are, cores that others take, and cores that nobody uses."""

from __future__ import annotations

from collections.abc import Sequence

from mlharness.explaining.evidence import Evidence
from mlharness.explaining.rules.rule import CALL, THROUGHPUT, Fact, Finding, Gain, Rule, percent, speed_of
from mlharness.explaining.shares import little_of
from mlharness.explaining.threads import Thread

WORTH = 0.03
"""A delay of 3 % is what repeats on a quiet machine spread by."""
BUSY = 0.01
"""Threads that ran less than this share of the time are of no account."""
WORKING = 0.8
"""Instances that have a batch in hand for less of the time would not use more cores."""


def oversubscribed(evidence: Evidence) -> Finding | None:
    """Instances times threads is more than the cores."""
    setup = evidence.setup
    asked, cores = setup.instances * setup.threads, setup.cores
    if setup.device != "cpu" or asked <= cores:
        return None
    instances = min(setup.instances, cores)
    delay = delay_share(evidence.threads)
    facts = [Fact("instances", setup.instances), Fact("threads of an instance", setup.threads), Fact("cores", cores)]
    most = asked / cores
    if delay is None:
        gain = Gain(CALL, most, f"{asked} threads that all work share {cores} cores: {asked} / {cores}, at most")
        told = "what they wait for a core is not known without the system level"
    else:
        facts.append(Fact("share of the threads' time waiting for a core", delay, "share"))
        gain = Gain(CALL, min(most, 1 / (1 - delay)),
                    f"a call without the wait for a core, 1 / (1 - {delay:.2f}), but no more than {asked} / {cores}; "
                    "samples a second stay about the same, since the cores are busy either way")  # fmt: skip
        told = f"they wait for a core {percent(delay)} of the time that they want to run"
    return Finding(
        f"{setup.instances} {'instance' if setup.instances == 1 else 'instances'} with {setup.threads} "
        f"{'thread' if setup.threads == 1 else 'threads'} each want {asked} cores, and there "
        f"{'is one' if cores == 1 else f'are {cores}'}: {told}.",
        tuple(facts),
        f"--instances {instances} --threads {max(1, cores // instances)}",
        1 - cores / asked if delay is None else max(delay, WORTH),
        gain,
    )


def preempted(evidence: Evidence) -> Finding | None:
    """Threads wait for cores, though there are enough for all of the run's."""
    setup, delay = evidence.setup, delay_share(evidence.threads)
    if delay is None or delay < WORTH or setup.instances * setup.threads > setup.cores:
        return None
    others = evidence.host.figures.get("other_cpu")
    count = sum(thread.preemptions or 0 for thread in busy_threads(evidence.threads))
    facts = [Fact("share of the threads' time waiting for a core", delay, "share"), Fact("preemptions", count)]
    if others is not None:
        facts.append(Fact("share of the cores that other processes took", others, "share"))
    told = "" if others is None else f" Other processes took {percent(others)} of the cores."
    return Finding(
        f"The run's threads wait for a core {percent(delay)} of the time that they want to run, "
        f"though the run wants no more than there are.{told}",
        tuple(facts),
        "End what else runs on this host, or keep it off these cores; --require-quality A repeats a disturbed run.",
        delay,
        Gain(speed_of(evidence), 1 / (1 - delay), f"without the wait, 1 / (1 - {delay:.2f})"),
    )


def idle(evidence: Evidence) -> Finding | None:
    """Cores that no thread of the run is meant to use."""
    setup, little = evidence.setup, little_of(evidence)
    used = setup.instances * setup.threads
    if setup.device != "cpu" or little is None or used >= setup.cores or little.utilisation < WORKING:
        return None
    alone = setup.scenario == "SingleStream"
    more = setup.cores // setup.threads
    return Finding(
        f"The run uses {used} of {setup.cores} cores, and is busy {percent(little.utilisation)} of the time.",
        (Fact("threads in all", used), Fact("cores", setup.cores),
         Fact("time in which an instance has a batch in hand", little.utilisation, "share")),
        f"--threads {setup.cores}" if alone or more == setup.instances else f"--instances {more}",
        1 - used / setup.cores,
        Gain(speed_of(evidence) if alone else THROUGHPUT, setup.cores / used,
             f"at best, {setup.cores} / {used}: when nothing but cores is short"),
    )  # fmt: skip


def busy_threads(threads: Sequence[Thread]) -> list[Thread]:
    """Those that ran, or wanted to, for a share of the time that counts."""
    return [one for one in threads if (one.cpu_ns or 0) + (one.delay_ns or 0) > BUSY * one.watched_ns]


def delay_share(threads: Sequence[Thread]) -> float | None:
    """The share of the time in which the threads wanted to run that they waited for a core; None when not told."""
    known = [one for one in busy_threads(threads) if one.cpu_ns is not None and one.delay_ns is not None]
    wanted = sum((one.cpu_ns or 0) + (one.delay_ns or 0) for one in known)
    return sum(one.delay_ns or 0 for one in known) / wanted if wanted else None


OVERSUBSCRIBED = Rule("threads", "instances times threads is more than the cores", (), oversubscribed)
PREEMPTED = Rule("preemption", "threads wait for a core 3 % of the time or more, though there are enough", ("system",),
                 preempted)  # fmt: skip
IDLE = Rule("cores", "cores are left over while every instance is busy", ("application", "model"), idle)
