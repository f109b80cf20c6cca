"""A run that cannot give a figure gives none, says why, keeps what was finished, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.e2e.conftest import MLH, Bench, Ran
from tests.fakes import copy_fake

SCENARIOS = ("SingleStream", "Server", "Offline")
SOON_S = 10
"""A faulty run ends within this time of the fault."""

MANIFEST = {
    "kind": "model",
    "name": "failing",
    "version": "1.0",
    "framework": {"name": "failing"},
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 16]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 1]}],
    "dataset": "null",
}

Spoil = Callable[..., Ran]


@pytest.fixture
def fakes(environment: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """Environment variables with which ``mlh`` finds the failing plugin and the raising observer."""
    site = tmp_path / "site"
    for name in ("failing", "raising-observer"):
        copy_fake(site, name)
    return {"PYTHONPATH": str(site)}


@pytest.fixture
def spoil(environment: Mapping[str, str], fakes: Mapping[str, str], tmp_path: Path) -> Spoil:
    """``spoil(manifest, *arguments)``: a faulty ``mlh bench``, which must end soon after its fault and clean up."""
    temporary, mark = tmp_path / "tmp", tmp_path / "mark"
    temporary.mkdir()

    def run(*arguments: str, root: Path = tmp_path / "runs") -> Ran:
        own = {
            "TMPDIR": str(temporary),
            "MLH_FAKE_MARK": str(mark),
            "MLH_FAKE_RUNS": str(root),
            "MLH_FAKE_FILL": str(root),
        }
        command = [*MLH, "bench", "--output", str(root), "--json", *arguments]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**environment, **fakes, **own},
        ) as process:  # fmt: skip
            while process.poll() is None and not mark.exists():
                time.sleep(0.02)
            try:
                out, err = process.communicate(timeout=SOON_S)
            finally:
                process.kill()
        assert "Traceback" not in err, err
        assert not list(relatives(temporary))
        assert not list(temporary.iterdir())
        return Ran(process.returncode, out, err, root)

    return run


def relatives(temporary: Path) -> Iterator[psutil.Process]:
    """Every process that has inherited this TMPDIR."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(temporary):
                yield process
        except psutil.Error:
            continue  # another user's, or gone


def write(folder: Path, **changes: Any) -> str:
    """The failing model's manifest in a file."""
    path = folder / "failing.yaml"
    path.write_text(yaml.safe_dump({**MANIFEST, **changes}), "utf-8")
    return str(path)


def check_failed(ran: Ran, *words: str) -> None:
    """Exit code 3, no figure anywhere, and a reason that names the culprit."""
    assert ran.code == 3, ran.err
    result = ran.document
    assert result == ran.result
    check_no_figure(result, *words)
    assert not list(ran.run.glob("mlperf_log_*"))
    assert not list(ran.run.rglob(".*"))


def check_no_figure(result: Mapping[str, Any], *words: str) -> None:
    """A failed result without a figure, whose one reason has these words."""
    assert result["status"] == "failed"
    assert result["metric"] is result["latency_ns"] is result["samples"] is result["accuracy"] is None
    (reason,) = result["invalid_reasons"]
    for word in words:
        assert word in reason


INSTANCE = ("mlh-fake-failing", "instance", "samples [")
AT_WORK = "in predict of mlh-fake-failing"


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", (*INSTANCE, "predict failed", "ValueError: no more")),
        ("sys-exit", (*INSTANCE, "predict failed", "SystemExit: 0")),
        ("keyboard-interrupt", (*INSTANCE, "predict failed", "KeyboardInterrupt")),
        ("children", (*INSTANCE, "predict failed")),
        ("exit", (AT_WORK, "exit code 0 without a word", "'measure'")),
        ("abort", (AT_WORK, "SIGABRT", "'measure'")),
        ("segfault", (AT_WORK, "SIGSEGV", "'measure'")),
        ("kill", (AT_WORK, "SIGKILL", "memory", "'measure'")),
        ("hang", (AT_WORK, "no sign of life for 3 s", "'measure'", "--stall-timeout")),
        ("hang-in-one", (AT_WORK, "no sign of life for 3 s", "'measure'")),
        ("too-few-rows", (*INSTANCE, "'y' has 0 rows")),
        ("other-dtype", (*INSTANCE, "'y' is float64")),
        ("other-shape", (*INSTANCE, "'y' has the shape", "2]")),
        ("no-outputs", (*INSTANCE, "0 outputs")),
        ("one-too-many", (*INSTANCE, "2 outputs")),
        ("not-finite", (*INSTANCE, "'y' is not finite")),
    ],
)
def test_a_fault_in_the_timed_path(
    spoil: Spoil, tmp_path: Path, scenario: str, fault: str, words: tuple[str, ...]
) -> None:
    """Half a second into a test that would last for much longer than a faulty run may."""
    options = ("--option", f"fault={fault}", "--option", "after_s=0.5", "--target-qps", "3000", "--duration", "30")
    ran = spoil(write(tmp_path), "--scenario", scenario, "--stall-timeout", "3", *options)
    check_failed(ran, *words)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(
    ("fault", "words"),
    [("other-dtype", "'y' is float64"), ("other-shape", "'y' has the shape"), ("one-too-many", "2 outputs")],
)
def test_one_wrong_call_is_enough(spoil: Spoil, tmp_path: Path, scenario: str, fault: str, words: str) -> None:
    """Also where a step stands between the outputs and the response."""
    options = ("--option", f"fault={fault}", "--option", "once=true", "--option", "after_s=0.5")
    path = write(tmp_path, postprocess=[{"tensor.cast": {"dtype": "float32"}}])
    ran = spoil(path, "--scenario", scenario, "--target-qps", "3000", "--duration", "30", *options)
    check_failed(ran, *INSTANCE, words)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(
    ("fault", "words"), [("twice", ("LoadGen noted", "errors")), ("never", ("no sign of life for 3 s", "'measure'"))]
)
def test_an_executor_that_answers_twice_or_never(
    spoil: Spoil, tmp_path: Path, scenario: str, fault: str, words: tuple[str, ...]
) -> None:
    options = ("--option", f"fault={fault}", "--option", "after_s=60", "--target-qps", "500", "--duration", "30")
    check_failed(spoil(write(tmp_path), "--scenario", scenario, "--stall-timeout", "3", *options), *words)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_thousandth_call(spoil: Spoil, tmp_path: Path, scenario: str) -> None:
    options = ("--option", "after_calls=999", "--scenario", scenario, "--target-qps", "3000", "--duration", "3")
    check_failed(spoil(write(tmp_path), *options), *INSTANCE, "ValueError: no more")


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", (*INSTANCE, "predict failed", "samples [0]")),
        ("not-finite", (*INSTANCE, "not finite")),
        ("too-few-rows", (*INSTANCE, "0 rows for a batch of 1")),
        ("other-dtype", (*INSTANCE, "float64", "the predictor declares float32")),
        ("other-shape", (*INSTANCE, "shape [1, 2]")),
        ("no-outputs", (*INSTANCE, "0 outputs")),
        ("segfault", (AT_WORK, "SIGSEGV", "'warmup'")),
        ("hang", (AT_WORK, "no sign of life for 3 s", "'warmup'")),
    ],
)
def test_a_fault_in_the_first_call(
    spoil: Spoil, tmp_path: Path, scenario: str, fault: str, words: tuple[str, ...]
) -> None:
    options = ("--scenario", scenario, "--target-qps", "100", "--stall-timeout", "3", "--option", f"fault={fault}")
    check_failed(spoil(write(tmp_path), *options), *words)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", ("mlh-fake-failing", "loading failing", "ValueError: no more")),
        ("exit", ("the runner of mlh-fake-failing", "exit code 0 without a word", "'load'")),
        ("hang", ("the runner of mlh-fake-failing", "no sign of life for 3 s", "'load'")),
    ],
)
def test_a_fault_while_the_model_is_loaded(spoil: Spoil, tmp_path: Path, fault: str, words: tuple[str, ...]) -> None:
    options = ("--option", f"fault={fault}", "--option", "in_load=true", "--stall-timeout", "3")
    check_failed(spoil(write(tmp_path), *options), *words)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("stage", "after_s"), [("preprocess", 0), ("postprocess", 0), ("postprocess", 0.5)])
def test_a_step_that_raises_is_named_with_its_sample(
    spoil: Spoil, tmp_path: Path, stage: str, after_s: float, scenario: str
) -> None:
    path = write(tmp_path, **{stage: [{"fake.raise": {"after_s": after_s}}]})
    options = ("--scenario", scenario, "--target-qps", "1000", "--option", "after_s=1000", "--duration", "30")
    ran = spoil(path, *options)
    check_failed(ran, "mlh-fake-failing", f"{stage} step 'fake.raise'", "sample", "ValueError: not today")
    assert "Traceback" in (ran.run / "runner.log").read_text("utf-8")


def test_preprocessing_that_does_not_fit_the_model(spoil: Spoil, tmp_path: Path) -> None:
    path = write(tmp_path, preprocess=[{"tensor.cast": {"dtype": "float64"}}])
    check_failed(spoil(path), "preprocess gives float64 [16]", "'x'", "sample 0", "float32")


@pytest.mark.parametrize("bad", [0, 100])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_sample_that_cannot_be_loaded(spoil: Spoil, tmp_path: Path, bad: int, scenario: str) -> None:
    """Sample 0 is met in warm-up, sample 100 when LoadGen asks for its set."""
    dataset = {"kind": "dataset", "name": "torn", "version": "1", "provider": "fake.torn", "options": {"bad": bad}}
    (tmp_path / "torn.yaml").write_text(yaml.safe_dump(dataset), "utf-8")
    ran = spoil(write(tmp_path, dataset="./torn.yaml"), "--option", "after_s=1000", "--scenario", scenario,
                "--target-qps", "100")  # fmt: skip
    check_failed(ran, "mlh-fake-failing", "'torn'", f"sample {bad}", "ValueError: torn")


def test_a_metric_that_raises_keeps_the_performance_test(spoil: Spoil, tmp_path: Path) -> None:
    path = write(tmp_path, metric={"name": "fake.raise"})
    ran = spoil(path, "--option", "after_s=1000", "--mode", "both", "--duration", "1", "--count", "20")
    check_failed(ran, "metric 'fake.raise' of mlh-fake-failing failed", "ValueError: no opinion")
    for mode in ("performance", "accuracy"):
        assert "power_end" in (ran.run / mode / "mlperf_log_detail.txt").read_text("utf-8")
    assert ran.result["calibration"] is not None


def test_the_runs_before_a_failed_one_are_kept(spoil: Spoil, tmp_path: Path) -> None:
    ran = spoil(write(tmp_path), "--option", "fault=raise-in-a-later-run", "--repeat", "2", "--duration", "1")
    assert ran.code == 3
    first, second = ran.document["results"]
    assert first["status"] == "valid"
    assert first["metric"] is not None
    assert json.loads((ran.root / first["run_id"] / "result.json").read_text("utf-8")) == first
    check_no_figure(second, *INSTANCE, "ValueError: no more")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_disk_that_fills_during_the_run(spoil: Spoil, tmp_path: Path, small_disk: Path | None, scenario: str) -> None:
    if small_disk is None:
        return
    options = ("--option", "fault=fill", "--option", "after_s=0.5", "--target-qps", "3000", "--duration", "3")
    ran = spoil(write(tmp_path), "--scenario", scenario, *options, root=small_disk / "runs")
    check_failed(ran, "the disk of", "is full", str(small_disk))


def test_people_read_one_message_and_no_figure(fakes: dict[str, str], bench: Bench, tmp_path: Path) -> None:
    options = ("--option", "fault=raise", "--option", "after_s=0.5", "--duration", "30")
    ran = bench(write(tmp_path), *options, env=fakes)
    assert ran.code == 3
    told = ran.out + ran.err
    assert told.count("predict failed in instance 0") == 1
    assert "FAILED" in ran.out
    for figure in (" ms", "samples/s", "percentile", "latency"):
        assert figure not in ran.out


def test_an_observer_that_raises_is_a_warning(bench: Bench, fakes: dict[str, str]) -> None:
    ran = bench("null", "--duration", "1", "--json", env=fakes)
    assert ran.code == 0
    assert any("mlh-fake-raising-observer" in warning for warning in ran.document["warnings"])
    assert ran.document == ran.result
