"""LoadGen's settings: mlperf.conf, user.conf, rules, calibration, command line, the later over the earlier.

Each is made in a process of its own, as in a run: LoadGen applies mlperf.conf once per process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import psutil
import pytest

from mlharness.errors import UserError
from mlharness.plan import SCENARIOS, PlannedTest, RunPlan
from mlharness.runner import loadgen
from mlharness.runner.job import Calibration
from mlharness.userconf import read_user_conf
from tests.unit.runner.making import a_plan

CALIBRATION = Calibration(query_latency_ns=1_000_000, samples_per_second=1000.0)
SLOW = Calibration(query_latency_ns=400_000_000, samples_per_second=20.0)
_PROGRAM = """
import json, sys
import msgspec
from mlharness.plan import RunPlan
from mlharness.runner import loadgen
from mlharness.runner.job import Calibration

plan, calibration, accuracy = msgspec.json.decode(sys.stdin.read(), type=tuple[RunPlan, Calibration, bool])
size = loadgen.samples_per_query(plan)  # the calibration asks for it first
print(json.dumps({"asked_size": size, **loadgen.describe(loadgen.settings(plan, accuracy, calibration))}))
"""


def ask(plan: RunPlan, accuracy: bool = False) -> dict[str, Any]:
    """Every setting by LoadGen's name."""
    given = msgspec.json.encode((plan, CALIBRATION, accuracy)).decode()
    done = subprocess.run([sys.executable, "-c", _PROGRAM], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def plan(scenario: str, folder: Path | None = None, conf: str = "", **test: Any) -> RunPlan:
    """A plan, with a user.conf of this text."""
    host = {}
    if folder is not None:
        path = folder / "user.conf"
        path.write_text(conf, "utf-8")
        test["user_conf"] = read_user_conf(path, test.get("mlperf_model", ""), scenario)
        host["user_conf"] = str(path)
    return a_plan(test={"scenario": scenario, **test}, host=host)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_mlperfs_rules_are_mlperf_conf_and_the_calibration(scenario: str) -> None:
    found = ask(plan(scenario, rules="mlperf", mlperf_model="resnet50"))
    assert found["min_duration_ms"] == 600_000
    assert found["scenario"] == scenario
    assert found["mode"] == "PerformanceOnly"
    assert found["performance_sample_count_override"] == 1024
    assert found["server_target_latency_ns"] == 15_000_000 or scenario != "Server"
    assert 0 not in (found["qsl_rng_seed"], found["sample_index_rng_seed"], found["schedule_rng_seed"])


@pytest.mark.parametrize(
    ("scenario", "setting", "expected"),
    [
        ("SingleStream", "single_stream_expected_latency_ns", 1_000_000),
        ("MultiStream", "multi_stream_expected_latency_ns", 1_000_000),
        ("Offline", "offline_expected_qps", 1500.0),
        ("Server", "server_target_qps", 500.0),
    ],
)
@pytest.mark.parametrize("rules", ["quick", "mlperf"])
def test_expectations_come_from_the_calibration(scenario: str, setting: str, expected: float, rules: str) -> None:
    assert ask(plan(scenario, rules=rules))[setting] == expected


@pytest.mark.parametrize(
    ("scenario", "queries"), [("SingleStream", 64), ("MultiStream", 662), ("Server", 662), ("Offline", 1)]
)
def test_quick_rules_change_duration_and_queries_and_keep_the_rest(scenario: str, queries: int) -> None:
    quick, mlperf = (ask(plan(scenario, rules=rules, mlperf_model="resnet50")) for rules in ("quick", "mlperf"))
    assert (quick["min_duration_ms"], quick["min_query_count"]) == (10_000, queries)
    different = {name for name in quick if quick[name] != mlperf[name]}
    assert different <= {"min_duration_ms", "min_query_count"}


@pytest.mark.parametrize(
    ("scenario", "line", "setting", "value"),
    [
        ("SingleStream", "target_latency = 0.25", "single_stream_expected_latency_ns", 250_000),
        ("MultiStream", "target_latency = 3", "multi_stream_expected_latency_ns", 3_000_000),
        ("Offline", "target_qps = 77", "offline_expected_qps", 77.0),
        ("Server", "target_qps = 77.5", "server_target_qps", 77.5),
        ("Server", "target_latency = 9", "server_target_latency_ns", 9_000_000),
        ("Offline", "min_duration = 1234567", "min_duration_ms", 1_234_567),
        ("Server", "min_query_count = 555", "min_query_count", 555),
        ("MultiStream", "samples_per_query = 4", "multi_stream_samples_per_query", 4),
        ("Offline", "performance_sample_count_override = 12", "performance_sample_count_override", 12),
    ],
)
@pytest.mark.parametrize("rules", ["quick", "mlperf"])
def test_the_users_conf_beats_rules_and_calibration(
    tmp_path: Path, scenario: str, line: str, setting: str, value: float, rules: str
) -> None:
    found = ask(plan(scenario, tmp_path, f"*.{scenario}.{line}\n", rules=rules))
    assert found[setting] == value
    assert found["asked_size"] == found["multi_stream_samples_per_query"] or scenario != "MultiStream"
    if rules == "mlperf" and setting != "min_duration_ms":
        assert found["min_duration_ms"] == 600_000, "mlperf.conf is still there"


def test_a_conf_cannot_change_mode_or_scenario(tmp_path: Path) -> None:
    found = ask(plan("Offline", tmp_path, "*.Offline.mode = 1\n"))
    assert (found["mode"], found["scenario"]) == ("PerformanceOnly", "Offline")


def test_the_command_line_beats_the_users_conf(tmp_path: Path) -> None:
    conf = "\n".join(f"*.Server.{line}" for line in (
        "target_qps = 77", "target_latency = 9", "min_duration = 1234", "min_query_count = 55",
    ))  # fmt: skip
    chosen = {"target_qps": 5.5, "target_latency_ns": 4_000_000, "duration_s": 2.5, "min_queries": 99, "seed": 7}
    found = ask(plan("Server", tmp_path, conf, **chosen))
    assert found["server_target_qps"] == 5.5
    assert found["server_target_latency_ns"] == 4_000_000
    assert found["min_duration_ms"] == 2500
    assert found["min_query_count"] == 99
    assert (found["qsl_rng_seed"], found["sample_index_rng_seed"], found["schedule_rng_seed"]) == (7, 7, 7)


def test_accuracy_mode() -> None:
    assert ask(plan("Offline"), accuracy=True)["mode"] == "AccuracyOnly"


def test_every_setting_is_recorded() -> None:
    found = ask(plan("Offline"))
    assert len(found) - 1 == 42, "LoadGen's TestSettings has so many fields"


class TestQueryMemory:
    """LoadGen holds every query that it generates before a test."""

    @staticmethod
    def check(scenario: str, queries: float, free: float, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        asked = {
            "min_duration_ms": 1000,
            "min_query_count": 1,
            "single_stream_expected_latency_ns": 2e9 / queries,
            "multi_stream_expected_latency_ns": 2e9 / queries,
            "server_target_qps": queries,
            "offline_expected_qps": queries * 10,
        }
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
        test = PlannedTest(scenario, "performance", "quick", "")  # type: ignore[arg-type]  # one of LoadGen's names
        loadgen.check_query_memory(SimpleNamespace(**{**asked, **settings}), test)

    @pytest.mark.parametrize("scenario", SCENARIOS)
    def test_more_than_fits_is_refused_before_loadgen_is_killed(
        self, scenario: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bytes_needed = 1e6 * loadgen.BYTES_PER_QUERY
        self.check(scenario, 1e6, 2 * bytes_needed, monkeypatch)
        with pytest.raises(UserError, match=f"of {scenario}, which need") as caught:
            self.check(scenario, 1e6, bytes_needed, monkeypatch)
        assert "--duration" in caught.value.remedy

    def test_the_fewest_queries_count_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(UserError, match="would generate 1e"):
            self.check("Server", 1.0, 1e9, monkeypatch, min_query_count=10**9)


@pytest.mark.parametrize("key", ["min_duration_ms", "min_query_count"])
def test_mlperfs_rules_have_minima(key: str) -> None:
    rules = SimpleNamespace(min_duration_ms=600_000, min_query_count=662)
    loadgen.check_mlperf_minima(SimpleNamespace(min_duration_ms=600_000, min_query_count=662), rules)
    less = SimpleNamespace(**{**vars(rules), key: getattr(rules, key) - 1})
    with pytest.raises(UserError, match=f"{key} is .* at least"):
        loadgen.check_mlperf_minima(less, rules)


def asked(**settings: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"min_duration_ms": 10_000, "min_query_count": 1, **settings})


@pytest.mark.parametrize(
    ("scenario", "settings", "calibration", "seconds"),
    [
        ("SingleStream", {"min_query_count": 64}, CALIBRATION, 10.0),
        ("SingleStream", {"min_query_count": 64}, SLOW, 25.6),
        ("MultiStream", {"min_query_count": 662}, SLOW, 264.8),
        ("Server", {"min_query_count": 662, "server_target_qps": 500.0}, CALIBRATION, 10.0),
        ("Server", {"min_query_count": 662, "server_target_qps": 10.0}, SLOW, 66.2),
        ("Server", {"min_query_count": 662, "server_target_qps": 200.0}, SLOW, 100.0),
        ("Offline", {"offline_expected_qps": 1500.0}, CALIBRATION, 16.5),
        ("Offline", {"offline_expected_qps": 30.0, "min_query_count": 24_576}, SLOW, 1228.8),
    ],
)
def test_how_long_a_test_should_last(
    scenario: str, settings: dict[str, Any], calibration: Calibration, seconds: float
) -> None:
    assert loadgen.expected_seconds(asked(**settings), scenario, calibration) == pytest.approx(seconds)


def test_a_model_that_mlperf_judges_by_tokens_is_refused_by_its_rules_and_judged_by_samples_without_them() -> None:
    assert ask(plan("Server", mlperf_model="llama2-70b"))["use_token_latencies"] is False
    with pytest.raises(AssertionError, match=r"UserError: mlperf\.conf's use_token_latencies for llama2-70b"):
        ask(plan("Server", rules="mlperf", mlperf_model="llama2-70b"))
