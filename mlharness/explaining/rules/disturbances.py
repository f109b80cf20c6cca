"""What the host did to the run: clocks, quotas, swapping, other processes, the hypervisor."""

from __future__ import annotations

from mlharness.explaining.evidence import Evidence
from mlharness.explaining.host import Counter, Host
from mlharness.explaining.rules.cores import preempted
from mlharness.explaining.rules.rule import Fact, Finding, Gain, Rule, Unsaid, percent, speed_of
from mlharness.quality import CLOCK_SHARES, CPU_SHARES, FAULTS_S, STEAL_SHARES, SWAP_MIB_S, THROTTLED_SHARES

UNWATCHED = Unsaid("telemetry.csv has nothing of the tests, and no counters were recorded")
CLOCK, THROTTLE = "clock", "throttle"
"""By these words in their names counters of clocks and of throttling are known."""


def throttled(evidence: Evidence) -> Finding | Unsaid | None:
    """The clock fell, or the control group was stopped, or the device says that it throttles."""
    host = evidence.host
    if not host.told:
        return UNWATCHED
    for found in (_clock(host), _group(host), _device(host)):
        if found is not None:
            fact, told, change, factor, how = found
            return Finding(told, fact, change, 1 - 1 / factor, Gain(speed_of(evidence), factor, how))
    return None


_Found = tuple[tuple[Fact, ...], str, str, float, str]


def _clock(host: Host) -> _Found | None:
    """The lowest of the clocks' means, as a share of its highest: the processor's, else a device's."""
    clocks = [(one.name, one.mean, one.highest) for one in _clocks(host)]
    if host.clock_mhz is not None and host.highest_mhz:
        clocks.append(("the cores' clock", host.clock_mhz, host.highest_mhz))
    known = [clock for clock in clocks if clock[2] > 0]
    if not known:
        return None
    name, mean, highest = min(known, key=lambda clock: clock[1] / clock[2])
    if 1 - mean / highest <= CLOCK_SHARES[0]:
        return None
    throttling = [one for one in host.counters if THROTTLE in one.name and one.active > 0]
    facts = (Fact(f"mean of {name}", mean, "MHz"), Fact(f"highest of {name}", highest, "MHz"),
             *(Fact(f"share of readings with {one.name}", one.active, "share") for one in throttling))  # fmt: skip
    return (
        facts,
        f"The clock fell: {name} was {mean:.0f} MHz on average, {percent(1 - mean / highest)} below its highest.",
        "Better cooling or a higher power limit; the governor performance; or a longer --warmup, so that the figure is "
        "that of the warm machine.",
        highest / mean,
        f"at the highest clock all the time, {highest:.0f} / {mean:.0f}, for work that only the clock limits",
    )


def _clocks(host: Host) -> list[Counter]:
    return [one for one in host.counters if one.unit == "MHz" and CLOCK in one.name and "memory" not in one.name]


def _group(host: Host) -> _Found | None:
    share = host.figures.get("throttled", 0.0)
    if share <= THROTTLED_SHARES[0]:
        return None
    return (
        (Fact("share of the control group's periods that it was throttled in", share, "share"),),
        f"The control group's CPU quota stopped the run in {percent(share)} of its periods.",
        "A larger quota (cpu.max, docker --cpus), or fewer --instances and --threads, so that it is not used up.",
        1 / max(1 - share, 0.1),
        f"if each throttled period was lost, 1 / (1 - {share:.2f}): at most",
    )


def _device(host: Host) -> _Found | None:
    found = max((one for one in host.counters if THROTTLE in one.name), key=lambda one: one.active, default=None)
    if found is None or found.active <= THROTTLED_SHARES[0]:
        return None
    return (
        (Fact(f"share of readings with {found.name}", found.active, "share"),),
        f"The device throttled itself in {percent(found.active)} of its readings ({found.name}).",
        "Better cooling or a higher power limit.",
        1 / max(1 - found.active * CLOCK_SHARES[1], 0.1),
        f"if its clock was {percent(CLOCK_SHARES[1])} lower meanwhile: its clock was not recorded",
    )


def swapping(evidence: Evidence) -> Finding | Unsaid | None:
    """Memory was short: pages went to disk, or came from there."""
    host = evidence.host
    if not host.told:
        return UNWATCHED
    swapped, faults = host.figures.get("swap_mib_s", 0.0), host.figures.get("major_faults_s", 0.0)
    if swapped <= SWAP_MIB_S[0] and faults <= FAULTS_S[0]:
        return None
    return Finding(
        f"Memory is short: the host swapped {swapped:.3g} MiB/s, and the run waited for {faults:.3g} pages a second "
        "from disk.",
        (Fact("swapped", swapped, "MiB/s"), Fact("major page faults of the run", faults, "/s")),
        "Fewer samples in memory at once (--count), fewer --instances, or more memory.",
        min(1.0, max(swapped / SWAP_MIB_S[2], faults / FAULTS_S[2])),
        no_gain="what a page from disk costs depends on the disk, and was not measured",
    )


def others(evidence: Evidence) -> Finding | Unsaid | None:
    """Other processes, or the hypervisor's other guests, had the cores."""
    host = evidence.host
    if not host.told:
        return UNWATCHED
    taken, stolen = host.figures.get("other_cpu", 0.0), host.figures.get("steal", 0.0)
    if preempted(evidence) is not None:  # which knows what the run's own threads had to wait for
        taken = 0.0
    if taken <= CPU_SHARES[0] and stolen <= STEAL_SHARES[0]:
        return None
    lost = min(0.9, taken + stolen)
    return Finding(
        f"Others had the cores: other processes {percent(taken)} of them, the hypervisor {percent(stolen)} of the "
        "time.",
        (Fact("share of the cores that other processes took", taken, "share"),
         Fact("share of the wanted time that the hypervisor withheld", stolen, "share")),
        "End what else runs here, take a host that is not shared; --require-quality A repeats a disturbed run.",
        lost,
        Gain(speed_of(evidence), 1 / (1 - lost),
             f"1 / (1 - {lost:.2f}), if every core was wanted; less where cores were idle"),
    )  # fmt: skip


THROTTLED = Rule("throttling", "the clock was 5 % below its highest, or a quota or the device stopped the run", (),
                 throttled)  # fmt: skip
SWAPPING = Rule("swapping", "the host swapped, or the run waited for pages from disk", (), swapping)
OTHERS = Rule("others", "other processes took 3 % of the cores, or the hypervisor withheld 1 % of the time", (), others)
