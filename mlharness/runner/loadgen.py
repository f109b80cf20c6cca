"""LoadGen, and the only module that knows it.

What is known of LoadGen's hazards is dealt with here: mlperf.conf can be applied once per process, so a runner makes
one test; the log folder must exist; response buffers are read while ``complete`` runs and never later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import mlperf_loadgen as lg

from mlharness.errors import RunError, UserError
from mlharness.memory import free_memory
from mlharness.plan import PlannedTest, RunPlan
from mlharness.runner.job import Calibration
from mlharness.userconf import refuse_tokens

Response: TypeAlias = Any
Issue: TypeAlias = Callable[[list[int], list[int]], None]

complete: Callable[[list[Response]], None] = lg.QuerySamplesComplete
"""Tell LoadGen that these samples are done; the responses' bytes are read before this returns."""

BYTES_PER_QUERY = 385
"""What LoadGen keeps for each query that it generates before the test."""

OFFLINE_SLACK = 1.1
"""By how much LoadGen makes Offline's query larger than its expectations ask for."""

QUICK_DURATION_MS = 10_000
QUICK_MIN_QUERIES = {"SingleStream": 64, "MultiStream": 662, "Server": 662}
"""The fewest queries with which early stopping can speak of the 90th and the 99th percentile."""


def make_responses(addresses: Sequence[int], size: int) -> list[Response]:
    """Response objects that stay bound to fixed addresses; :func:`name_responses` gives them their sample's id."""
    return [lg.QuerySampleResponse(0, address, size) for address in addresses]


def name_responses(responses: list[Response], ids: Sequence[int]) -> None:
    """Set the id of each response. Setting an attribute costs a third of making an object."""
    if len(responses) == 1:
        responses[0].id = ids[0]
        return
    deque(map(_set_id, responses, ids), maxlen=0)


_set_id = lg.QuerySampleResponse.id.__set__


def settings(plan: RunPlan, accuracy: bool, calibration: Calibration) -> Any:
    """TestSettings for one test: mlperf.conf and user.conf, then rules and calibration, then the plan's own choices.

    Raises:
        UserError: a user.conf that LoadGen refuses, rules about tokens, or more queries than the free memory can hold.
    """
    asked, test = lg.TestSettings(), plan.test
    model, conf = test.mlperf_model or "*", plan.host.user_conf
    # LoadGen applies mlperf.conf by itself before a user.conf.
    if asked.FromConfig(conf, model, test.scenario, 1 if conf else 0) != 0:
        raise UserError(f"LoadGen cannot read {conf}", "Each line is: model.scenario.key = number")
    if asked.use_token_latencies:
        if test.rules == "mlperf":
            raise refuse_tokens(f"mlperf.conf's use_token_latencies for {model}")
        asked.use_token_latencies = False  # a quick run judges whole samples
    asked.scenario = getattr(lg.TestScenario, test.scenario)
    asked.mode = lg.TestMode.AccuracyOnly if accuracy else lg.TestMode.PerformanceOnly
    if test.rules == "quick":
        apply_quick_rules(asked, test)
    apply_calibration(asked, test, calibration)
    apply_choices(asked, test)
    if test.rules == "mlperf":
        check_mlperf_minima(asked, mlperf_conf(plan))
    if not accuracy:
        check_query_memory(asked, test)
    return asked


def mlperf_conf(plan: RunPlan) -> Any:
    """TestSettings as mlperf.conf alone has them for the plan's model and scenario."""
    asked = lg.TestSettings()
    asked.FromConfig("", plan.test.mlperf_model or "*", plan.test.scenario, 0)
    return asked


def check_mlperf_minima(asked: Any, rules: Any) -> None:
    """Raise UserError when the command line or a user.conf asks for less than mlperf.conf does."""
    for key, what in (("min_duration_ms", "ms"), ("min_query_count", "queries")):
        if getattr(asked, key) < getattr(rules, key):
            raise UserError(
                f"{key} is {getattr(asked, key)}, and MLPerf's rules ask for at least {getattr(rules, key)} {what}",
                "Ask for more, or use --rules quick.",
            )


def samples_per_query(plan: RunPlan) -> int:
    """MultiStream's samples in a query, from mlperf.conf or the user's conf."""
    return int(plan.test.user_conf.get("samples_per_query", mlperf_conf(plan).multi_stream_samples_per_query))


def performance_samples(plan: RunPlan) -> int:
    """Size of the performance set: from the user's conf, mlperf.conf or the manifest; 0 when none of them says."""
    of_rules = mlperf_conf(plan).performance_sample_count_override
    fixed = plan.test.user_conf.get("performance_sample_count_override", of_rules)
    return int(fixed or plan.test.performance_sample_count or 0)


def apply_quick_rules(asked: Any, test: PlannedTest) -> None:
    """About ten seconds, and no fewer queries than early stopping needs for the scenario's percentile."""
    if "min_duration" not in test.user_conf:
        asked.min_duration_ms = QUICK_DURATION_MS
    if "min_query_count" not in test.user_conf:
        asked.min_query_count = QUICK_MIN_QUERIES.get(test.scenario, 1)


def apply_calibration(asked: Any, test: PlannedTest, calibration: Calibration) -> None:
    """The expectations from which LoadGen sizes a test, unless the user's conf has them."""
    if test.scenario == "SingleStream" and "target_latency" not in test.user_conf:
        asked.single_stream_expected_latency_ns = max(1, calibration.query_latency_ns)
    elif test.scenario == "MultiStream" and "target_latency" not in test.user_conf:
        asked.multi_stream_expected_latency_ns = max(1, calibration.query_latency_ns)
    elif test.scenario == "Offline" and "target_qps" not in test.user_conf:
        # Half as much again: a run that ends too early is INVALID, one that lasts longer is only longer.
        asked.offline_expected_qps = 1.5 * calibration.samples_per_second
    elif test.scenario == "Server" and "target_qps" not in test.user_conf:
        # The first trial of a rate search: queries that arrive at random need slack to meet a latency limit.
        asked.server_target_qps = 0.5 * calibration.samples_per_second


def apply_choices(asked: Any, test: PlannedTest) -> None:
    """What the command line or the manifest fixed."""
    if test.duration_s is not None:
        asked.min_duration_ms = round(test.duration_s * 1000)
    if test.min_queries is not None:
        asked.min_query_count = test.min_queries
    if test.target_latency_ns is not None:
        asked.server_target_latency_ns = test.target_latency_ns
    if test.target_qps is not None:
        asked.server_target_qps = asked.offline_expected_qps = test.target_qps
    if test.seed is not None:
        asked.qsl_rng_seed = asked.sample_index_rng_seed = asked.schedule_rng_seed = test.seed


def check_query_memory(asked: Any, test: PlannedTest) -> None:
    """Raise UserError when LoadGen could not hold the queries that it generates before the test."""
    seconds = asked.min_duration_ms / 1000
    rates = {
        "SingleStream": 2e9 / asked.single_stream_expected_latency_ns,
        "MultiStream": 2e9 / asked.multi_stream_expected_latency_ns,
        "Server": asked.server_target_qps,
        "Offline": asked.offline_expected_qps * 0.1,  # one query, whose samples are a tenth of a query each
    }
    count = max(rates[test.scenario] * seconds, asked.min_query_count)
    needed, free = count * BYTES_PER_QUERY, free_memory()
    if needed > free * 0.8:
        raise UserError(
            f"LoadGen would generate {count:.3g} queries for {seconds:g} s of {test.scenario}, "
            f"which need {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free",
            "Lower --duration (with --rules quick) or --min-queries, or measure a slower model.",
        )


def expected_seconds(asked: Any, scenario: str, calibration: Calibration) -> float:
    """How long a performance test should last: until the minimum duration and the minimum of queries are both met."""
    seconds, fewest = asked.min_duration_ms / 1000, asked.min_query_count
    if scenario == "Server":
        count = max(fewest, seconds * asked.server_target_qps)
        return float(max(count / asked.server_target_qps, count / calibration.samples_per_second))
    if scenario == "Offline":  # one query, with a tenth more samples than the minimum duration should need
        count = max(fewest, OFFLINE_SLACK * seconds * asked.offline_expected_qps)
        return float(count / calibration.samples_per_second)
    return float(max(seconds, fewest * calibration.query_latency_ns / 1e9))


def describe(asked: Any) -> dict[str, Any]:
    """Every setting that LoadGen was given, for the record."""
    described = {}
    for name in dir(lg.TestSettings):
        if not name.startswith("_") and name != "FromConfig":
            value = getattr(asked, name)
            described[name] = value if isinstance(value, (bool, int, float)) else value.name
    return described


def run_test(
    asked: Any,
    issue: Issue,
    load: Callable[[Sequence[int]], None],
    unload: Callable[[Sequence[int]], None],
    counts: tuple[int, int],
    directory: Path,
    audit_conf: str,
    trace: bool = False,
) -> None:
    """One LoadGen test; returns when it is over and the logs are written into ``directory``.

    Args:
        asked: from :func:`settings`.
        issue: called with the ids and indices of each query, on the thread that calls this.
        load: called with the indices of the samples to hold ready.
        unload: called with those to forget.
        counts: samples in the data set, and in the performance set.
        directory: where LoadGen's files go.
        audit_conf: MLPerf's audit.config, or empty.
        trace: let LoadGen write its own trace, a line per sample, which can be the bottleneck of a run.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = lg.LogSettings()
    log.log_output.outdir = str(directory)
    log.log_output.copy_summary_to_stdout = False
    log.enable_trace = trace
    sut = lg.ConstructFastSUT(issue, lambda: None)
    qsl = lg.ConstructQSL(*counts, load, unload)
    try:
        lg.StartTestWithLogSettings(sut, qsl, asked, log, audit_conf or str(directory / "no-audit.config"))
    finally:
        lg.DestroyQSL(qsl)
        lg.DestroySUT(sut)
    if not (directory / "mlperf_log_summary.txt").exists():
        raise RunError(f"LoadGen wrote no summary into {directory}")
