"""Every scenario and mode gives a valid figure for real models, and a complete run directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlharness.resources import resource_folder
from tests.e2e.conftest import Bench

KEYS = {
    "SingleStream": "early_stopping_latency_ss",
    "MultiStream": "early_stopping_latency_ms",
    "Server": "result_completed_samples_per_sec",
    "Offline": "result_samples_per_second",
}
# A generous limit: these tests ask whether Server works, not how fast a shared machine is.
SERVER = ("--target-qps", "50", "--target-latency", "10000")


def check_document(result: Any) -> None:
    """The document follows the shipped schema."""
    schema = json.loads((resource_folder("schemas") / "result.v1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(result)


@pytest.mark.parametrize("scenario", KEYS)
@pytest.mark.parametrize("model", [pytest.param("efficientnet-lite0", marks=pytest.mark.alone), "digits-cnn", "null"])
def test_every_scenario_is_valid(bench: Bench, model: str, scenario: str) -> None:
    extra = SERVER if scenario == "Server" else ()
    ran = bench(model, "--scenario", scenario, "--duration", "1", "--json", *extra)
    assert ran.code == 0, ran.err
    result = ran.document
    assert result == ran.result
    assert result["status"] == "valid"
    assert result["metric"]["name"] == KEYS[scenario]
    assert result["metric"]["value"] > 0
    assert result["samples"] >= result["queries"] > 0
    assert result["harness"]["us_per_query"] > 0
    assert result["harness"]["null_floor_us"] > 0
    check_document(result)
    expected = {"plan.json", "system.json", "result.json", "runner.log", "mlperf_log_detail.txt"}
    assert expected <= {path.name for path in ran.run.iterdir()}


def test_expectations_come_from_a_calibration(bench: Bench) -> None:
    calibration = bench("digits-cnn", "--duration", "1", "--json").document["calibration"]
    assert calibration["settings"]["single_stream_expected_latency_ns"] == calibration["query_latency_ns"] > 0


def test_mlperf_rules_leave_loadgens_own_settings(bench: Bench) -> None:
    """A run by MLPerf's rules takes ten minutes; its settings are seen in the accuracy mode, which does not."""
    ran = bench("digits-cnn", "--rules", "mlperf", "--mode", "accuracy", "--count", "50", "--json")
    assert ran.code in (0, 4)
    assert ran.document["unverified"] == "unverified: not verified by MLCommons"
    detail = (ran.run / "mlperf_log_detail.txt").read_text("utf-8")
    assert '"key": "requested_min_duration_ms", "value": 600000' in detail


def test_server_without_a_rate_finds_one(bench: Bench) -> None:
    ran = bench("digits-cnn", "--scenario", "Server", "--duration", "2", "--target-latency", "100", "--json")
    trials = ran.document["calibration"]["trials"]
    assert len(trials) >= 2
    assert trials[-1]["purpose"] == "confirmation"
    assert ran.document["calibration"]["settings"]["server_target_qps"] == trials[-1]["target_qps"]
    assert (ran.code == 0) == trials[-1]["valid"]
    assert len(list((ran.run / "search").glob("trial-*/mlperf_log_detail.txt"))) == len(
        [trial for trial in trials if trial["purpose"] == "trial"]
    )


def test_both_modes_make_one_result(bench: Bench) -> None:
    ran = bench("digits-cnn", "--scenario", "Offline", "--mode", "both", "--duration", "1", "--json")
    assert ran.code == 0, ran.err
    assert ran.document["metric"]["value"] > 0
    assert ran.document["accuracy"]["passed"] is True
    for mode in ("performance", "accuracy"):
        assert (ran.run / mode / "mlperf_log_summary.txt").exists()


def test_an_invalid_run_says_why(bench: Bench) -> None:
    limit = ("--target-qps", "300", "--target-latency", "0.001")
    ran = bench("digits-cnn", "--scenario", "Server", "--duration", "1", *limit, "--json")
    assert ran.code == 3
    assert ran.document["status"] == "invalid"
    assert ran.document["invalid_reasons"][0].startswith("latency limit not met: 99th percentile ")
    assert ran.document["advice"][0]["setting"] == "--target-latency"


def test_people_read_the_verdict_first(bench: Bench) -> None:
    ran = bench("null", "--duration", "1")
    assert ran.out.splitlines()[0] == "null on null, cpu, SingleStream: VALID (quick)"
    assert str(ran.run) in ran.out


def test_quiet_prints_only_the_result(bench: Bench) -> None:
    assert bench("null", "--duration", "1", "-q").err == ""


def test_repeat_makes_a_run_each(bench: Bench) -> None:
    ran = bench("null", "--duration", "1", "--repeat", "2", "--json")
    results = ran.document["results"]
    assert {result["run_id"] for result in results} == {path.name for path in ran.root.iterdir()}
    assert len({result["plan_sha256"] for result in results}) == 1


def test_dry_run_runs_nothing(bench: Bench, tmp_path: Path) -> None:
    ran = bench("efficientnet-lite0", "--dry-run", "--json")
    assert ran.document["model"]["name"] == "efficientnet-lite0"
    assert not ran.root.exists()
    assert list(tmp_path.iterdir()) == []


def test_options_stand_in_the_result(bench: Bench) -> None:
    ran = bench(
        "digits-cnn", "--duration", "1", "--threads", "1", "--option", "graph_optimization_level=basic",
        "--label", "who=ci", "--count", "10", "--json",
    )  # fmt: skip
    result = ran.document
    assert result["framework"]["threads"] == 1
    assert result["framework"]["options"]["graph_optimization_level"] == "basic"
    assert result["labels"] == {"who": "ci"}
    assert result["dataset"]["count"] == 10


def test_a_user_conf_fixes_the_rate(bench: Bench, tmp_path: Path) -> None:
    conf = tmp_path / "user.conf"
    conf.write_text("*.Server.target_qps = 150\n*.Server.target_latency = 500\n", "utf-8")
    arguments = ("--scenario", "Server", "--duration", "1", "--user-conf", str(conf), "--json")
    result = bench("digits-cnn", *arguments).document
    assert result["calibration"]["trials"] == []
    assert result["calibration"]["settings"]["server_target_qps"] == 150
    assert result["calibration"]["settings"]["server_target_latency_ns"] == 500_000_000
