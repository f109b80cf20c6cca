"""Each of LoadGen's reasons is made to happen, diagnosed, and made to go away by doing what the advice says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness import diagnosis
from mlharness.diagnosis import MIN_QUERIES, TARGET_LATENCY, TARGET_QPS, Diagnosis, diagnose
from mlharness.loadgen_log import LoadGenLog
from tests.unit.timed_loadgen import System, TimedTest

KEYS = {
    "min_duration": "result_min_duration_met",
    "min_queries": "result_min_queries_met",
    "latency_limit": "result_perf_constraints_met",
    "early_stopping": "early_stopping_met",
}
STEADY = System(service_s=0.004)
EXPECTS_SLOW = {"single_stream_expected_latency_ns": 80_000_000, "multi_stream_expected_latency_ns": 80_000_000}
EASY = {"server_target_latency_percentile": 0.5, "min_query_count": 100}
"""A percentile that few queries can speak of, and that a busy machine cannot spoil."""

# name -> (rule, setting, test)
CASES: dict[str, tuple[str, str, TimedTest]] = {
    "SingleStream ends early": (
        "min_duration", MIN_QUERIES, TimedTest("SingleStream", STEADY, {
            **EXPECTS_SLOW, "min_duration_ms": 800, "single_stream_target_latency_percentile": 0.5,
        }),
    ),
    "MultiStream ends early": (
        "min_duration", MIN_QUERIES,
        TimedTest("MultiStream", STEADY, {
            **EXPECTS_SLOW, "min_duration_ms": 800, "multi_stream_target_latency_percentile": 0.5,
        }),
    ),
    "Offline ends early": (
        "min_duration", TARGET_QPS,
        TimedTest("Offline", System(0.001), {"min_duration_ms": 1000, "offline_expected_qps": 300}),
    ),
    "Server is capped": (
        "min_duration", "max_query_count",
        TimedTest("Server", System(), {
            **EASY, "min_duration_ms": 500, "max_query_count": 150, "server_target_qps": 1000,
            "server_target_latency_ns": 5_000_000_000,
        }),
    ),
    "too few queries because of max_query_count": (
        "min_queries", "max_query_count",
        TimedTest("SingleStream", STEADY, {
            "min_query_count": 200, "max_query_count": 100, "single_stream_expected_latency_ns": 4_000_000,
        }),
    ),
    "too few queries because of max_duration": (
        "min_queries", "max_duration",
        TimedTest("MultiStream", STEADY, {
            "min_query_count": 100, "max_duration_ms": 100, "multi_stream_expected_latency_ns": 4_000_000,
            "multi_stream_target_latency_percentile": 0.5,
        }),
    ),
    "too few queries because they are unique": (
        "min_queries", "performance_issue_unique",
        TimedTest("SingleStream", STEADY, {"min_query_count": 100, "performance_issue_unique": True}),
    ),
    "more queries than the system can serve": (
        "latency_limit", TARGET_QPS,
        TimedTest("Server", STEADY, {
            **EASY, "min_query_count": 400, "server_target_qps": 800, "server_target_latency_ns": 200_000_000,
        }),
    ),
    "a limit below the time of one query": (
        "latency_limit", TARGET_LATENCY,
        TimedTest("Server", STEADY, {**EASY, "server_target_qps": 100, "server_target_latency_ns": 2_000_000}),
    ),
    "SingleStream with too few queries for p90": (
        "early_stopping", MIN_QUERIES, TimedTest("SingleStream", STEADY, {"min_query_count": 20}),
    ),
    "MultiStream with too few queries for p99": (
        "early_stopping", MIN_QUERIES,
        TimedTest("MultiStream", System(service_s=0.001), {
            "min_query_count": 100, "multi_stream_expected_latency_ns": 1_000_000,
        }),
    ),
    "Server with too few queries for its late ones": (
        "early_stopping", MIN_QUERIES,
        TimedTest("Server", System(late_every=3, late_s=0.6), {
            **EASY, "min_query_count": 20, "server_target_qps": 200, "server_target_latency_ns": 500_000_000,
        }),
    ),
}  # fmt: skip


def rules(found: list[Diagnosis]) -> dict[str, Diagnosis]:
    return {one.rule: one for one in found}


@pytest.mark.alone
@pytest.mark.parametrize("name", CASES)
def test_following_the_advice_makes_the_reason_go_away(tmp_path: Path, name: str) -> None:
    rule, setting, test = CASES[name]
    log = test.run(tmp_path / "before")
    assert log.values[KEYS[rule]] is False
    advice = rules(diagnose(log))[rule]
    assert advice.setting == setting
    assert advice.by > 0
    assert advice.by == pytest.approx(abs(advice.needed - advice.found))
    assert f"{setting} " in advice.text
    after = test.following(advice).run(tmp_path / "after")
    assert after.values[KEYS[rule]] is True, (advice, diagnose(after))


@pytest.mark.parametrize("name", CASES)
def test_each_rule_that_loadgen_names_is_diagnosed_and_no_other(tmp_path: Path, name: str) -> None:
    log = CASES[name][2].run(tmp_path / "run")
    failed = {rule for rule, key in KEYS.items() if log.values.get(key) is False}
    assert set(rules(diagnose(log))) == failed


@pytest.mark.parametrize("name", ["SingleStream ends early", "MultiStream ends early", "Offline ends early"])
def test_how_much_longer_a_short_run_must_be(tmp_path: Path, name: str) -> None:
    test = CASES[name][2]
    (advice,) = diagnose(test.run(tmp_path / "run"))
    assert (advice.unit, advice.needed) == ("s", test.settings["min_duration_ms"] / 1000)
    assert 0 < advice.found < advice.needed
    assert advice.longer_s == advice.by
    assert "s longer" in advice.text


def test_a_cap_of_the_users_conf_that_breaks_no_other_rule(tmp_path: Path) -> None:
    settings = {**EASY, "max_query_count": 100, "server_target_qps": 1000, "server_target_latency_ns": 5_000_000_000}
    test = TimedTest("Server", System(), settings)
    log = test.run(tmp_path / "before")
    assert log.valid
    assert log.error_count == 1
    (advice,) = diagnose(log)
    assert (advice.rule, advice.setting, advice.value) == ("errors", "max_query_count", 0)
    assert advice.text == "max_query_count = 0 in the user.conf"
    assert test.following(advice).run(tmp_path / "after").error_count == 0


def test_too_many_outstanding_queries(tmp_path: Path) -> None:
    settings = {**EASY, "server_target_qps": 2000, "server_max_async_queries": 5}
    test = TimedTest("Server", STEADY, {**settings, "server_target_latency_ns": 5_000_000_000})
    found = rules(diagnose(test.run(tmp_path / "before")))
    assert found["min_queries"].setting == "max_async_queries"
    after = test.following(found["min_queries"]).run(tmp_path / "after")
    assert after.values["result_min_queries_met"] is True


SERVER: dict[str, Any] = {
    "effective_scenario": "Server", "effective_min_duration_ms": 1000, "effective_min_query_count": 662,
    "effective_target_latency_percentile": 0.99, "effective_target_latency_ns": 10_000_000,
    "effective_target_qps": 1000.0, "effective_max_query_count": 0, "result_validity": "INVALID",
    "result_min_duration_met": True, "result_min_queries_met": True, "result_perf_constraints_met": False,
    "early_stopping_met": False, "result_query_count": 1000, "result_overlatency_query_count": 300,
    "result_scheduled_samples_per_sec": 1000.0, "result_completed_samples_per_sec": 990.0,
    "result_min_latency_ns": 1_000_000, "result_mean_latency_ns": 8_000_000, "result_max_latency_ns": 40_000_000,
    "result_99.00_percentile_latency_ns": 30_000_000, "result_99.90_percentile_latency_ns": 35_000_000,
}  # fmt: skip


def a_log(**changes: Any) -> LoadGenLog:
    """Server's, of a run that kept up with 1000 queries a second, too slowly."""
    return LoadGenLog({**SERVER, **changes}, ())


def test_two_rules_that_ask_for_one_setting_agree() -> None:
    limit, stopping = diagnose(a_log())
    assert (limit.setting, stopping.setting) == (TARGET_QPS, TARGET_QPS)
    assert limit.value == stopping.value < 1000
    assert limit.text == stopping.text
    assert limit.reason == "latency limit not met: 99th percentile 30 ms, limit 10 ms, 20 ms too slow"
    needed = int(stopping.needed)
    assert stopping.reason == (
        f"early stopping not satisfied: 1,000 queries with 300 late, {needed:,} needed, {needed - 1000:,} too few"
    )


def test_a_rate_whose_queries_take_longer_says_so() -> None:
    limit = rules(diagnose(a_log(effective_min_query_count=5000, result_query_count=5000)))["latency_limit"]
    assert limit.longer_s == pytest.approx(5000 / limit.value - 4999 / 1000)


def test_a_tighter_limit_asks_for_a_lower_rate() -> None:
    values = [diagnose(a_log(effective_target_latency_ns=limit))[0].value for limit in (25e6, 20e6, 15e6, 10e6)]
    assert values == sorted(values, reverse=True)
    assert all(value > 0 for value in values)


def test_a_limit_that_even_a_tenth_of_the_rate_would_miss_is_itself_the_setting() -> None:
    limit = diagnose(a_log(effective_target_latency_ns=1_001_000))[0]
    assert limit.setting == TARGET_LATENCY


def test_an_overloaded_systems_capacity_is_what_it_completed() -> None:
    log = a_log(result_completed_samples_per_sec=400.0)
    assert diagnosis.capacity(log) == 400.0
    assert diagnose(log)[0].value < 400.0


def test_a_system_that_kept_up_has_more_capacity_than_it_used() -> None:
    assert diagnosis.capacity(a_log()) > 1000.0


def test_where_queries_hardly_meet_the_limit_is_the_setting() -> None:
    limit = diagnose(a_log(effective_target_qps=10.0, result_mean_latency_ns=12_000_000))[0]
    assert limit.setting == TARGET_LATENCY
    assert limit.value * 1e6 > limit.found
    assert limit.longer_s == 0


def test_a_percentile_that_the_log_does_not_have() -> None:
    assert diagnose(a_log(effective_target_latency_percentile=0.98))[0].found == 30_000_000
    assert diagnose(a_log(effective_target_latency_percentile=0.995))[0].found == 35_000_000
    assert diagnose(a_log(effective_target_latency_percentile=0.9995))[0].found == 40_000_000


@pytest.mark.parametrize(
    "changes",
    [
        {"effective_target_latency_percentile": 1.0},
        {"result_99.00_percentile_latency_ns": 5_000_000, "early_stopping_met": True},
        # As when LoadGen judges by tokens: there are queries enough for the one that was late.
        {"result_perf_constraints_met": True, "result_overlatency_query_count": 0},
        {"result_perf_constraints_met": True, "early_stopping_met": True, "result_min_queries_met": False},
    ],
)
def test_what_the_log_does_not_explain_is_left_to_loadgens_words(changes: dict[str, Any]) -> None:
    assert diagnose(a_log(**changes)) == []


def test_a_log_without_figures_is_left_to_loadgens_words() -> None:
    assert diagnose(LoadGenLog({"result_validity": "INVALID", "result_min_duration_met": False}, ())) == []
    assert diagnose(LoadGenLog({}, ("an error",))) == []


def test_a_valid_run_needs_no_advice() -> None:
    assert diagnose(a_log(result_perf_constraints_met=True, early_stopping_met=True)) == []


def test_early_stopping_far_away_asks_for_a_lower_rate() -> None:
    almost = {"result_perf_constraints_met": True, "result_99.00_percentile_latency_ns": 9_990_000}
    (advice,) = diagnose(a_log(**almost, result_overlatency_query_count=10))
    assert (advice.rule, advice.setting) == ("early_stopping", TARGET_QPS)
    (advice,) = diagnose(a_log(**almost, result_overlatency_query_count=5))
    assert (advice.rule, advice.setting) == ("early_stopping", MIN_QUERIES)
    assert advice.longer_s == pytest.approx((advice.value - 1000) / 1000)


def test_multistream_without_time_stamps_is_as_long_as_its_queries() -> None:
    values = {
        "effective_scenario": "MultiStream", "result_query_count": 10, "result_mean_query_latency_ns": 50_000_000,
        "power_begin": "?",
    }  # fmt: skip
    assert diagnosis.duration_s(LoadGenLog(values, ())) == pytest.approx(0.45)


def test_a_document_holds_what_the_text_says() -> None:
    document = diagnose(a_log())[0].document()
    assert document["text"].startswith(f"{document['setting']} {document['value']:g} ")
    assert document["by"] == document["found"] - document["needed"]
