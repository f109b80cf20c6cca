"""Why LoadGen calls a run INVALID, by how much, and the one setting that would have changed it.

The rules are LoadGen's, read from its ``results.cc`` and ``early_stopping.cc``; the figures are those of its log.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from mlharness.errors import RunError
from mlharness.loadgen_log import PERCENTILES, LoadGenLog
from mlharness.stats import late_allowed, passes_early_stopping, queries_needed

Rule = Literal["min_duration", "min_queries", "latency_limit", "early_stopping", "errors"]

MIN_QUERIES, TARGET_QPS, TARGET_LATENCY = "--min-queries", "--target-qps", "--target-latency"

DURATION_MARGIN = 1.2
"""How many more queries than a minimum duration needs at this run's median latency."""
OFFLINE_MARGIN = 1.5
"""How much more than the rate found Offline should expect; the same as after a calibration."""
LATENCY_MARGIN = 1.1
"""How far a new latency limit lies above the latency found."""
OVERLOADED = 0.95
"""A system that completes less than this share of the scheduled rate works at its capacity."""
IDLE = 0.2
"""With fewer queries at work on average (Little's law) they hardly wait for each other: a lower rate changes little."""
HOPELESS_SHARE = 0.1
"""Below this share of the capacity there is hardly a queue: where the estimate lies there, the rate is not to blame."""
LONGEST = 20
"""When early stopping needs more than so many times the queries at this rate, a lower rate is the better advice."""


@dataclass(frozen=True)
class Diagnosis:
    """One rule that was not met.

    ``found`` and ``needed`` differ by ``by`` >= 0, all in ``unit`` (``s``, ``queries``, ``ns`` or ``errors``).
    ``setting`` is an option of ``mlh bench`` or, without dashes, a key of the user's conf, and ``value`` what to give
    it, in the setting's own unit. ``longer_s``: how many seconds longer than this run the next one must last at least.
    """

    rule: Rule
    found: float
    needed: float
    by: float
    unit: str
    setting: str
    value: float
    longer_s: float
    reason: str

    @property
    def text(self) -> str:
        """The advice in one line."""
        change = f"{self.setting} {self.value:.12g}"
        if not self.setting.startswith("--"):
            change = f"{self.setting} = {self.value:g} in the user.conf"
        if self.setting == TARGET_QPS and self.rule in ("latency_limit", "early_stopping"):
            change += " (an estimate; without --target-qps the rate is searched)"
        return change + (f"; it must run at least {number(self.longer_s)} s longer" if self.longer_s > 0 else "")

    def document(self) -> dict[str, Any]:
        """As it stands in the result."""
        numbers = {name: getattr(self, name) for name in ("found", "needed", "by", "value", "longer_s")}
        words = {name: getattr(self, name) for name in ("rule", "unit", "setting", "text")}
        return {**numbers, **words}


def diagnose(log: LoadGenLog) -> list[Diagnosis]:
    """Every rule that the run did not meet, in LoadGen's order.

    Where two rules ask for the same setting, both name the value that satisfies both, and the longer run.

    Returns:
        Nothing for a run that met all rules, and where LoadGen's log does not show why it did not.
    """
    try:
        found = [rule(log) for key, rule in _RULES if log.values.get(key) is False]
    except RunError:  # a log without the figures: LoadGen's own words must do
        return []
    if any(not one.by > 0 for one in found):  # LoadGen judged by something else, and the advice would change nothing
        return []
    if not found and log.errors and cap(log):
        found = [too_early(log)]
    return [agree(one, found) for one in found]


def agree(one: Diagnosis, found: Sequence[Diagnosis]) -> Diagnosis:
    """The same with the value of its setting, and the length of the run, that satisfy all."""
    values = [other.value for other in found if other.setting == one.setting]
    value = min(values) if one.setting == TARGET_QPS else max(values)
    return replace(one, value=value, longer_s=max(other.longer_s for other in found))


def min_duration(log: LoadGenLog) -> Diagnosis:
    """The run was shorter than the minimum duration: LoadGen did not generate enough queries, or a cap ended it."""
    found, needed = duration_s(log), log.need("effective_min_duration_ms") / 1000
    by = max(0.0, needed - found)
    if cap(log):
        setting, value = cap(log), 0.0
    elif scenario(log) == "Offline":
        setting, value = TARGET_QPS, rounded(OFFLINE_MARGIN * log.need("result_samples_per_second"))
    else:
        setting, value = MIN_QUERIES, math.ceil(DURATION_MARGIN * needed / period_s(log))
    reason = f"minimum duration not met: {number(found)} s of {number(needed)} s, {number(by)} s too short"
    return Diagnosis("min_duration", found, needed, by, "s", setting, value, by, reason)


def min_queries(log: LoadGenLog) -> Diagnosis:
    """Fewer queries than asked for: something ended the run before."""
    found, needed = int(log.need("result_query_count")), int(log.need("effective_min_query_count"))
    by = max(0, needed - found)
    setting, value = (cap(log), 0) if cap(log) else (MIN_QUERIES, found)
    reason = f"minimum number of queries not met: {number(found)} of {number(needed)}, {number(by)} too few"
    return Diagnosis("min_queries", found, needed, by, "queries", setting, value, by * period_s(log), reason)


def latency_limit(log: LoadGenLog) -> Diagnosis:
    """Server: the latency at the percentile is above the limit."""
    share, limit = percentile(log), log.need("effective_target_latency_ns")
    found = latency_at(log, share)
    if found <= limit:
        raise RunError("LoadGen judged something else than the latency")
    setting, value = faster(log)
    reason = (
        f"latency limit not met: {100 * share:g}th percentile {number(found / 1e6)} ms, "
        f"limit {number(limit / 1e6)} ms, {number((found - limit) / 1e6)} ms too slow"
    )
    longer_s = longer(log, setting, value, 0)
    return Diagnosis("latency_limit", found, limit, found - limit, "ns", setting, value, longer_s, reason)


def early_stopping(log: LoadGenLog) -> Diagnosis:
    """Too few queries for a statement about the percentile, given how many were late."""
    found, server = int(log.need("result_query_count")), scenario(log) == "Server"
    late = int(log.need("result_overlatency_query_count")) if server else 1
    needed = queries_needed(late, percentile(log))
    setting, value = more_queries(log, found, late) if server else (MIN_QUERIES, needed)
    if cap(log):
        setting, value = cap(log), 0
    by = max(0, needed - found)
    among = f" with {number(late)} late" if server else ""
    reason = (
        f"early stopping not satisfied: {number(found)} queries{among}, {number(needed)} needed, {number(by)} too few"
    )
    longer_s = longer(log, setting, value, by)
    return Diagnosis("early_stopping", found, needed, by, "queries", setting, value, longer_s, reason)


def longer(log: LoadGenLog, setting: str, value: float, missing: float) -> float:
    """How many seconds a setting, or so many missing queries, add to a run."""
    if setting == TARGET_LATENCY:
        return 0.0
    if setting == TARGET_QPS:  # as many queries take longer at a lower rate
        return max(0.0, log.need("effective_min_query_count") / value - duration_s(log))
    if setting == MIN_QUERIES:
        missing = max(missing, value - log.need("result_query_count"))
    return missing * period_s(log)


def too_early(log: LoadGenLog) -> Diagnosis:
    """Every rule was met, and yet a cap ended the run early, which LoadGen notes as an error."""
    count = log.error_count
    reason = f"LoadGen noted {count} errors: {cap(log)} ended the run early"
    return Diagnosis("errors", count, 0, count, "errors", cap(log), 0, 0.0, reason)


_RULES: tuple[tuple[str, Callable[[LoadGenLog], Diagnosis]], ...] = (
    ("result_min_duration_met", min_duration),
    ("result_min_queries_met", min_queries),
    ("result_perf_constraints_met", latency_limit),
    ("early_stopping_met", early_stopping),
)


def cap(log: LoadGenLog) -> str:
    """The key of the user's conf that ended the test or made it too small (0 lifts it); empty when none did."""
    most = log.values.get("effective_max_query_count", 0)
    told = " ".join(log.errors)
    ended = {
        "max_query_count": most and log.need("result_query_count") >= most,
        "max_duration": "Max test duration reached" in told,
        "max_async_queries": "Too many outstanding queries" in told,
        "performance_issue_unique": log.values.get("effective_performance_issue_unique") is True,
    }
    return next((key for key, true in ended.items() if true), "")


def more_queries(log: LoadGenLog, found: int, late: int) -> tuple[str, float]:
    """Server: how many queries pass early stopping if the same share of them is late; else a lower rate."""
    share, count = percentile(log), queries_needed(late, percentile(log))
    while count <= LONGEST * found:
        # One late query more than was seen, since a share that few queries show may be larger.
        expected = math.ceil((late + 1) / (found + 1) * count)
        if passes_early_stopping(count, expected, share):
            return MIN_QUERIES, count
        count = queries_needed(expected, share)
    return faster(log)


def faster(log: LoadGenLog) -> tuple[str, float]:
    """Server: the rate at which the limit would be met; the limit itself where the rate is not to blame."""
    fastest, limit = log.need("result_min_latency_ns"), log.need("effective_target_latency_ns")
    at_work = log.need("effective_target_qps") * log.need("result_mean_latency_ns") / 1e9
    if fastest < limit and at_work >= IDLE:
        most = capacity(log)
        rate = rate_within(log, most, (limit - fastest) / 1e9)
        if rate >= HOPELESS_SHARE * most:
            return TARGET_QPS, rounded(rate)
    return TARGET_LATENCY, looser_limit_ms(log)


def looser_limit_ms(log: LoadGenLog) -> float:
    """Server: the limit that half as many queries exceeded as early stopping lets pass, and a little more."""
    count = max(1, int(log.need("result_query_count")))
    allowed = max(0, late_allowed(count, percentile(log)))
    latency = latency_at(log, 1 - allowed / 2 / count)
    return rounded(max(LATENCY_MARGIN * latency, 1.01 * log.need("effective_target_latency_ns")) / 1e6, up=True)


def capacity(log: LoadGenLog) -> float:
    """Server: the most queries a second that the system completes.

    Where it kept up with the schedule, this is how fast a queue must be for the wait that was found: the chance of
    waiting longer than t is taken as u exp(-(c - r) t) for rate r, capacity c and u = r / c, as of a single server
    with exponential service times. Steadier service waits less, so that the estimate errs on the safe side.
    """
    rate, completed = log.need("effective_target_qps"), log.need("result_completed_samples_per_sec")
    if completed < OVERLOADED * min(rate, log.need("result_scheduled_samples_per_sec")):
        return completed
    share = percentile(log)
    wait = max(1.0, latency_at(log, share) - log.need("result_min_latency_ns")) / 1e9
    most = rate - math.log(1 - share) / wait
    return bisect(lambda c: rate / c * math.exp(-(c - rate) * wait) > 1 - share, rate, most)


def rate_within(log: LoadGenLog, most: float, wait_s: float) -> float:
    """The rate at which half as many queries wait longer than ``wait_s`` as early stopping lets pass."""
    share, fewest = percentile(log), int(log.need("effective_min_query_count"))
    seconds = log.need("effective_min_duration_ms") / 1000

    def met(rate: float) -> bool:
        count = max(fewest, int(rate * seconds), 1)
        allowed = max(0.5, late_allowed(count, share)) / count / 2
        return rate / most * math.exp(-(most - rate) * wait_s) <= allowed

    return bisect(met, 0.0, min(most, log.need("effective_target_qps")))


def bisect(true_below: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition that holds at ``low`` ceases to hold, to a millionth; it holds at what is returned."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if true_below(middle) else (low, middle)
        if low and high - low < 1e-6 * low:
            break
    return low


def scenario(log: LoadGenLog) -> str:
    """LoadGen's name of the scenario; empty when the log does not have it."""
    return str(log.values.get("effective_scenario", ""))


def percentile(log: LoadGenLog) -> float:
    """The percentile that is judged, between 0 and 1. Raises RunError where there is nothing to say about it."""
    share = log.need("effective_target_latency_percentile")
    if not 0 < share < 1:
        raise RunError(f"LoadGen was asked for the percentile {share}")
    return share


def latency_at(log: LoadGenLog, share: float) -> float:
    """The latency that this share of the queries does not exceed, in ns; that of the next larger share in the log."""
    logged = sorted((float(name), f"result_{name}_percentile_latency_ns") for name in PERCENTILES.values())
    keys = [key for least, key in logged if least >= round(100 * share, 6)]
    return log.need(keys[0] if keys else "result_max_latency_ns")


def duration_s(log: LoadGenLog) -> float:
    """The duration that LoadGen holds against the minimum: to the last query's start, Offline to its end."""
    gaps = log.need("result_query_count") - 1
    if scenario(log) == "Offline":
        return log.need("result_max_latency_ns") / 1e9
    if scenario(log) == "MultiStream":
        return clocked_s(log) - log.need("result_mean_query_latency_ns") / 1e9
    server = scenario(log) == "Server"
    rate = log.need("result_scheduled_samples_per_sec" if server else "result_qps_with_loadgen_overhead")
    return gaps / rate if gaps and rate > 0 else 0.0


def clocked_s(log: LoadGenLog) -> float:
    """MultiStream: from start to last completion by LoadGen's time stamps, but never less than its queries took."""
    busy = log.need("result_query_count") * log.need("result_mean_query_latency_ns") / 1e9
    try:
        begin, end = (
            datetime.strptime(str(log.values.get(key)), "%m-%d-%Y %H:%M:%S.%f")  # local, both
            for key in ("power_begin", "power_end")
        )
    except ValueError:
        return busy
    return max(busy, (end - begin).total_seconds())


def period_s(log: LoadGenLog) -> float:
    """Seconds from one query to the next: Server's by its rate, a stream's by its median latency."""
    if scenario(log) == "Server":
        return 1 / max(log.need("effective_target_qps"), 1e-9)
    kind = "per_query_latency_ns" if scenario(log) == "MultiStream" else "latency_ns"
    return max(1.0, log.need(f"result_50.00_percentile_{kind}")) / 1e9


def rounded(value: float, up: bool = False) -> float:
    """Three significant digits, enough for a setting that rests on an estimate."""
    step = 10.0 ** (math.floor(math.log10(max(value, 1e-9))) - 2)
    return float(f"{(math.ceil if up else math.floor)(value / step) * step:.3g}")


def number(value: float) -> str:
    """A number for people: three significant digits, or thousands in full."""
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.3g}"
