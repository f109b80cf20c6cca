"""A run's steps, with measurements that never ran: what is kept, what is set aside, and what is left of a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlharness import bench as module
from mlharness.bench import bench
from mlharness.choices import Choices, read_choices
from mlharness.environments.origins import code_here
from mlharness.errors import RunError, UserError
from mlharness.measuring import Measured
from mlharness.plan import RunPlan
from mlharness.plugins import build_manager
from mlharness.request import Request, prepare
from mlharness.runner.job import Calibration
from mlharness.supervise import RunnerBug
from tests.unit.runner.measurements import a_measured

EARLY: dict[str, Any] = {"result_validity": "INVALID", "result_min_duration_met": False}
Ask = Callable[..., Request]


class Measure:
    """Stands in for LoadGen's tests: leaves a log in the directory, then answers, or raises, in turn."""

    def __init__(self) -> None:
        self.ends: list[dict[str, Any] | BaseException] = []
        self.calibrations: list[Calibration | None] = []
        self.fingerprints: list[dict[str, Any]] = []
        """Of the first tests; the others have all the same."""

    def __call__(
        self,
        plan: RunPlan,
        directory: Path,
        watch: Any,
        log: Path,
        accuracy: bool = False,
        calibration: Calibration | None = None,
    ) -> Measured:
        self.calibrations.append(calibration)
        prepared = dict(a_measured(directory).prepared)
        watch.said({**prepared, "fingerprint": self.fingerprints.pop(0)} if self.fingerprints else prepared)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "mlperf_log_detail.txt").write_text(f"test {len(self.calibrations)}")
        end = self.ends.pop(0) if self.ends else {}
        if isinstance(end, BaseException):
            raise end
        return a_measured(directory, **end)


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    stand_in = Measure()
    monkeypatch.setattr(module, "measure", stand_in)
    monkeypatch.setattr(module, "null_floor_us", lambda plugins, scratch, announce: 3.5)
    return stand_in


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """``ask(**choices)``: a request for a run of the null model."""
    for kind in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"MLH_{kind}_DIR", str(tmp_path / kind.lower()))
    monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)
    plugins = build_manager()
    return lambda **choices: prepare("null", Choices(**choices), plugins, tmp_path / "runs")


def the_run(tmp_path: Path) -> Path:
    (directory,) = (tmp_path / "runs").iterdir()
    return directory


def written(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((the_run(tmp_path) / "result.json").read_text())
    return found


def test_a_run_leaves_plan_system_and_result(measure: Measure, ask: Ask, tmp_path: Path) -> None:
    result = bench(ask(scenario="Offline", labels={"who": "ci"}))
    assert result == written(tmp_path)
    assert (result["status"], result["labels"]) == ("valid", {"who": "ci"})
    assert result["harness"]["null_floor_us"] == 3.5
    plan = json.loads((the_run(tmp_path) / "plan.json").read_text())
    assert plan["plan_sha256"] == result["plan_sha256"]
    assert read_choices(plan["choices"]) == Choices(scenario="Offline", labels={"who": "ci"})
    system = json.loads((the_run(tmp_path) / "system.json").read_text())
    assert system["code"]["mlharness"] == code_here("mlharness")
    assert (the_run(tmp_path) / "system.json").exists()


@pytest.mark.parametrize(("scenario", "showed"), [("SingleStream", 1500), ("Offline", 101.5)])
def test_a_test_that_ended_too_early_is_done_again_by_what_it_showed(
    measure: Measure, ask: Ask, tmp_path: Path, scenario: str, showed: float
) -> None:
    measure.ends = [{**EARLY, "result_mean_latency_ns": 1500}, {}]
    assert bench(ask(scenario=scenario))["status"] == "valid"
    first, second = measure.calibrations
    assert first is None
    assert second is not None
    assert (second.query_latency_ns if scenario == "SingleStream" else second.samples_per_second) == showed
    assert (the_run(tmp_path) / "too-short" / "mlperf_log_detail.txt").read_text() == "test 1"
    assert (the_run(tmp_path) / "mlperf_log_detail.txt").read_text() == "test 2"


def test_it_is_done_again_only_once(measure: Measure, ask: Ask) -> None:
    measure.ends = [EARLY, EARLY, {}]
    assert bench(ask(scenario="Offline"))["status"] == "invalid"
    assert len(measure.calibrations) == 2


@pytest.mark.parametrize(
    ("scenario", "conf", "choices"),
    [
        ("Offline", "", {"target_qps": 7.0}),
        ("Offline", "*.Offline.target_qps = 7\n", {}),
        ("SingleStream", "*.SingleStream.target_latency = 7\n", {}),
    ],
)
def test_what_the_user_said_to_expect_would_end_as_early_again(
    measure: Measure, ask: Ask, tmp_path: Path, scenario: str, conf: str, choices: dict[str, Any]
) -> None:
    (tmp_path / "user.conf").write_text(conf)
    measure.ends = [EARLY, {}]
    result = bench(ask(scenario=scenario, user_conf=tmp_path / "user.conf", **choices))
    assert result["status"] == "invalid"
    assert len(measure.calibrations) == 1


class TestEnds:
    """However a run ends."""

    def test_a_failed_run_has_a_result_and_its_logs_are_set_aside(
        self, measure: Measure, ask: Ask, tmp_path: Path
    ) -> None:
        measure.ends = [RunError("the runner was killed")]
        result = bench(ask(scenario="Offline"))
        assert (result["status"], result["metric"]) == ("failed", None)
        assert "the runner was killed" in result["invalid_reasons"][0]
        self.check_set_aside(tmp_path, "test 1")

    def test_an_interrupted_run_has_one_too_and_no_log_looks_like_its_own(
        self, measure: Measure, ask: Ask, tmp_path: Path
    ) -> None:
        measure.ends = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            bench(ask(scenario="Offline"))
        assert written(tmp_path)["status"] == "interrupted"
        self.check_set_aside(tmp_path, "test 1")

    @staticmethod
    def check_set_aside(tmp_path: Path, text: str) -> None:
        directory = the_run(tmp_path)
        assert not list(directory.glob("mlperf_log_*"))
        assert (directory / "incomplete" / "mlperf_log_detail.txt").read_text() == text

    def test_of_two_modes_the_one_that_ended_is_kept(
        self, measure: Measure, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def again(run: module.Run) -> None:
            run.findings.accuracy = measure(run.plan, run.directory / "accuracy", run.watch(), run.runner_log)

        monkeypatch.setattr(module, "STEPS", (module.describe_host, module.measure_performance, again))
        measure.ends = [{}, RunError("the runner was killed")]
        assert bench(ask(scenario="Offline"))["status"] == "failed"
        directory = the_run(tmp_path)
        assert (directory / "mlperf_log_detail.txt").read_text() == "test 1"
        assert (directory / "incomplete" / "mlperf_log_detail.txt").read_text() == "test 2"

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("oh")])
    def test_one_that_ended_before_its_host_was_described_has_a_result(
        self, measure: Measure, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        def stop(human: Path | None) -> dict[str, Any]:
            raise error

        monkeypatch.setattr(module, "describe_system", stop)
        with pytest.raises(type(error)):
            bench(ask())
        assert written(tmp_path)["system"] == {}

    def test_what_the_user_must_mend_leaves_nothing(self, measure: Measure, ask: Ask, tmp_path: Path) -> None:
        measure.ends = [UserError("no such device", "Use another.")]
        with pytest.raises(UserError, match="no such device"):
            bench(ask())
        assert list((tmp_path / "runs").iterdir()) == []

    def test_a_plan_that_cannot_be_made_leaves_nothing(self, measure: Measure, ask: Ask, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="--instances 2"):
            bench(ask(instances=2))
        assert list((tmp_path / "runs").iterdir()) == []
        assert measure.calibrations == []

    def test_a_bug_is_raised_and_stands_in_the_result(self, measure: Measure, ask: Ask, tmp_path: Path) -> None:
        measure.ends = [RunnerBug("Traceback: here")]
        with pytest.raises(RunnerBug):
            bench(ask())
        assert written(tmp_path)["status"] == "failed"
        assert "a bug in mlharness" in written(tmp_path)["invalid_reasons"][0]


OTHER: dict[str, Any] = {"samples": 4, "sha256": "f" * 64, "sketch": [[0.7, 1.0, -0.5]] * 4}


class TestFingerprints:
    """One run measures one model, and so do runs of one request."""

    def test_what_a_runner_said_before_it_failed_is_in_the_result(self, measure: Measure, ask: Ask) -> None:
        measure.ends = [RunError("the runner was killed")]
        result = bench(ask(scenario="Offline"))
        assert result["fingerprint"] == a_measured(Path()).prepared["fingerprint"]
        assert result["calibration"]["samples_per_second"] == 500.0
        assert (result["framework"]["version"], result["dataset"]["loaded"]) == ("1.2", None)

    def test_every_test_of_a_run_must_have_the_same_model(self, measure: Measure, ask: Ask) -> None:
        measure.fingerprints = [OTHER]
        result = bench(ask(scenario="Server"))
        assert (result["status"], result["metric"]) == ("failed", None)
        assert "did not measure one model" in result["invalid_reasons"][0]
        assert "ffffffffffffffff... and then 0123456789abcdef..." in result["warnings"][0]

    def test_rounding_is_told_once(self, measure: Measure, ask: Ask) -> None:
        measure.fingerprints = [{**OTHER, "sketch": [[0.501, 1.0, -0.5]] * 4}]
        result = bench(ask(scenario="Server"))
        assert result["status"] == "valid"
        assert len([warning for warning in result["warnings"] if "outputs" in warning]) == 1

    def test_a_later_run_of_another_model_says_so(self, measure: Measure, ask: Ask, tmp_path: Path) -> None:
        failed = {"run_id": "run 0", "fingerprint": None}
        result = bench(ask(), [failed, {"run_id": "run 1", "fingerprint": OTHER}])
        assert result["status"] == "valid"
        (warning,) = result["warnings"]
        assert "from those of run run 1" in warning
        assert bench(ask(), [failed, {"run_id": "run 1", "fingerprint": result["fingerprint"]}])["warnings"] == []


def test_server_without_a_rate_keeps_its_trials_apart(measure: Measure, ask: Ask, tmp_path: Path) -> None:
    result = bench(ask(scenario="Server"))
    trials = result["calibration"]["trials"]
    folders = sorted(path.name for path in (the_run(tmp_path) / "search").iterdir())
    assert folders == [f"trial-{number:02}" for number in range(1, len(folders) + 1)]
    assert [trial["purpose"] for trial in trials] == ["trial"] * len(folders) + ["confirmation"]
    assert (the_run(tmp_path) / "mlperf_log_detail.txt").read_text() == f"test {len(trials)}"
