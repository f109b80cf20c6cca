"""Whether the files that one LoadGen test left agree with each other, and with what the runner said of it.

LoadGen writes its figures twice, as text for people and as JSON, and some of them follow from others. Whoever changes
one of them is found, unless all are changed alike: nothing here is signed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from mlharness.loadgen_log import DETAIL_LOG, PERCENTILES, LoadGenLog
from mlharness.measuring import Measured

SUMMARY_LOG = "mlperf_log_summary.txt"
ACCURACY_LOG = "mlperf_log_accuracy.json"
_PRINTED = 1e-5
"""How far a figure may be from one that LoadGen printed with six digits."""
_LINE = re.compile(r"\s*(?P<name>[^:]+?)\s*:\s*(?P<value>.*?)\s*\Z")
_SUMMARY = {
    "Scenario": "effective_scenario",
    "Mode": "effective_test_mode",
    "Result is": "result_validity",
    "Min duration satisfied": "result_min_duration_met",
    "Min queries satisfied": "result_min_queries_met",
    "Early stopping satisfied": "early_stopping_met",
    "Performance constraints satisfied": "result_perf_constraints_met",
    "QPS w/ loadgen overhead": "result_qps_with_loadgen_overhead",
    "QPS w/o loadgen overhead": "result_qps_without_loadgen_overhead",
    "Samples per second": "result_samples_per_second",
    "Completed samples per second": "result_completed_samples_per_sec",
    "Scheduled samples per second": "result_scheduled_samples_per_sec",
    "samples_per_query": "effective_samples_per_query",
    "target_qps": "effective_target_qps",
    "target_latency (ns)": "effective_target_latency_ns",
    "max_async_queries": "effective_max_async_queries",
    "min_duration (ms)": "effective_min_duration_ms",
    "max_duration (ms)": "effective_max_duration_ms",
    "min_query_count": "effective_min_query_count",
    "max_query_count": "effective_max_query_count",
    "qsl_rng_seed": "effective_qsl_rng_seed",
    "sample_index_rng_seed": "effective_sample_index_rng_seed",
    "schedule_rng_seed": "effective_schedule_rng_seed",
    "accuracy_log_rng_seed": "effective_accuracy_log_rng_seed",
    "accuracy_log_probability": "effective_accuracy_log_probability",
    "accuracy_log_sampling_target": "effective_accuracy_log_sampling_target",
    "print_timestamps": "effective_print_timestamps",
    "performance_issue_unique": "effective_performance_issue_unique",
    "performance_issue_same": "effective_performance_issue_same",
    "performance_issue_same_index": "effective_performance_issue_same_index",
    "performance_sample_count": "effective_performance_sample_count",
    "accuracy_sample_count": "effective_accuracy_sample_count",
}
"""What the detail log has under these keys, by the summary's name for it."""
_SETTINGS = {"mode": "requested_test_mode", "scenario": "requested_scenario"}
"""Settings that the log has under another key than ``requested_`` and their name."""


def disagreements(test: Measured, scenario: str, accuracy: bool, audited: bool) -> Iterator[str]:
    """What of a test's files does not go together, in words.

    Args:
        test: the test.
        scenario: LoadGen's.
        accuracy: whether it was LoadGen's accuracy mode.
        audited: whether an audit.config changed the settings after LoadGen was given them.

    Raises:
        RunError: the log lacks a figure. OSError: the summary cannot be read. KeyError, TypeError: the runner's words
            have another form.
    """
    if not audited:
        yield from of_settings(test.log, test.settings)
    yield from of_counts(test, accuracy)
    if accuracy:
        yield from of_responses(test)
    else:
        yield from of_statistics(test.log, scenario)
        yield from of_summary(test.log, (test.directory / SUMMARY_LOG).read_text("utf-8", "replace"), scenario)


def of_settings(log: LoadGenLog, settings: Mapping[str, Any]) -> Iterator[str]:
    """LoadGen notes the settings that it was given."""
    for name, value in settings.items():
        key = _SETTINGS.get(name, f"requested_{name}")
        if key in log.values and not alike(log.values[key], value):
            yield f"LoadGen was given {name} {log.values[key]}, and {value} is said"


def of_counts(test: Measured, accuracy: bool) -> Iterator[str]:
    """How many samples there were, and how many were answered."""
    values, prepared, measured = test.log.values, test.prepared, test.measured
    if values.get("qsl_reported_total_count") != prepared["dataset_count"]:
        yield f"LoadGen was told of {values.get('qsl_reported_total_count')} samples, not {prepared['dataset_count']}"
    if accuracy:
        return
    per_query = values.get("generated_samples_per_query", 1)
    if per_query * values.get("result_query_count", 0) != measured["cost"]["samples"]:
        yield (
            f"LoadGen counted {values.get('result_query_count')} queries of {per_query} samples, "
            f"and {measured['cost']['samples']} samples are said"
        )


def of_statistics(log: LoadGenLog, scenario: str) -> Iterator[str]:
    """Percentiles rise, and lie within the extremes; what follows from them does follow."""
    found = log.latencies(scenario)
    ladder = ["min", *PERCENTILES, "max"]
    for lower, higher in pairwise(ladder):
        if found[lower] > found[higher]:
            yield f"the latency {lower} is {found[lower]:.0f} ns, and {higher} only {found[higher]:.0f} ns"
    if not found["min"] <= found["mean"] <= found["max"]:
        yield f"the mean latency {found['mean']:.0f} ns lies outside of the least and the largest"
    values = log.values
    text = str(values.get("early_stopping_result", ""))
    for share, key in (("90", "early_stopping_latency_ss"), ("99", "early_stopping_latency_ms")):
        told = re.search(rf"{share}\.0th percentile estimate: (\d+)", text)
        if told and key in values and int(told[1]) != values[key]:
            yield f"{key} is {values[key]}, and LoadGen's words about early stopping say {told[1]}"
    told = re.search(r"Processed at least \d+ queries \((\d+)\)", text)
    if told and int(told[1]) != values.get("result_query_count"):
        yield f"result_query_count is {values.get('result_query_count')}, and LoadGen's words say {told[1]}"
    if scenario == "SingleStream" and found["mean"] > 0:
        rate = values.get("result_qps_without_loadgen_overhead")
        # the mean is a whole number of nanoseconds
        if rate is not None and not math.isclose(rate, 1e9 / found["mean"], rel_tol=_PRINTED + 1 / found["mean"]):
            yield f"a mean latency of {found['mean']:.0f} ns is no {rate} queries a second"
    if scenario == "Offline":
        yield from of_offline(values, found["max"])


def of_offline(values: Mapping[str, Any], last_ns: float) -> Iterator[str]:
    """Offline's figure is its samples over the time of the last one."""
    count = values.get("generated_samples_per_query", 0) * values.get("result_query_count", 0)
    rate = values.get("result_samples_per_second", 0.0)
    if last_ns > 0 and not math.isclose(rate, 1e9 * count / last_ns, rel_tol=_PRINTED):
        yield f"{count} samples within {last_ns:.0f} ns are no {rate} samples a second"


def of_summary(log: LoadGenLog, text: str, scenario: str) -> Iterator[str]:
    """The summary says what the detail log says. In accuracy mode it has no figures."""
    pairs = (_LINE.match(line) for line in text.splitlines())
    summary = {match["name"]: match["value"] for match in pairs if match}
    for name in ("Scenario", "Result is", "Mean latency (ns)", "samples_per_query"):
        if name not in summary:
            yield f"{SUMMARY_LOG} has no {name!r}"
    for name, key in {**_SUMMARY, **latency_names(scenario)}.items():
        if name in summary and key in log.values and not printed_alike(summary[name], log.values[key]):
            yield f"{SUMMARY_LOG} says {name}: {summary[name]}, and {DETAIL_LOG} {log.values[key]}"
    words = " ".join(text.split())
    if " ".join(str(log.values.get("early_stopping_result", "")).split()) not in words:
        yield f"{SUMMARY_LOG} and {DETAIL_LOG} say different things about early stopping"
    if ("No errors encountered during test." in words) != (log.error_count == 0):
        yield f"{DETAIL_LOG} counts {log.error_count} errors, and {SUMMARY_LOG} says otherwise"


def latency_names(scenario: str) -> dict[str, str]:
    """What the summary calls the latencies."""
    several = scenario == "MultiStream"
    kind, percentile = ("query_latency_ns", "per_query_latency_ns") if several else ("latency_ns", "latency_ns")
    names = {f"{word.capitalize()} latency (ns)": f"result_{word}_{kind}" for word in ("min", "max", "mean")}
    for share in PERCENTILES.values():
        names[f"{share} percentile latency (ns)"] = f"result_{share}_percentile_{percentile}"
    first = {"SingleStream": "90.0", "MultiStream": "99.0"}.get(scenario)
    return names | ({f"{first}th percentile latency (ns)": f"result_{first}0_percentile_{percentile}"} if first else {})


def of_responses(test: Measured) -> Iterator[str]:
    """In accuracy mode every sample is answered once."""
    try:
        entries = json.loads((test.directory / ACCURACY_LOG).read_bytes())
        indices = [entry["qsl_idx"] for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"{ACCURACY_LOG} cannot be read: {error}"
        return
    count = test.prepared["dataset_count"]
    if set(indices) != set(range(count)):
        yield f"{ACCURACY_LOG} holds {len(set(indices))} samples, and the data set has {count}"


def alike(logged: Any, said: Any) -> bool:
    """Whether a value is the one that the log has with six digits."""
    if isinstance(logged, bool) or isinstance(said, bool) or not isinstance(logged, (int, float)):
        return bool(logged == said)
    return isinstance(said, (int, float)) and math.isclose(logged, said, rel_tol=_PRINTED)


def printed_alike(text: str, value: Any) -> bool:
    """Whether a value is what the summary shows as this text."""
    if isinstance(value, bool):
        return text.lower() in (("yes", "1") if value else ("no", "0"))
    if isinstance(value, str):
        return text == value
    try:
        number = float(text)
    except ValueError:
        return False
    whole = isinstance(value, int) and re.fullmatch(r"\d+", text)
    return int(text) == value if whole else math.isclose(number, value, rel_tol=_PRINTED, abs_tol=0.01)
