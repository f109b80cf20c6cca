"""A disturbed host shows in the grade, its reasons and telemetry.csv; ``mlh doctor`` asks real runners.

The host may be noisy on its own: what is asserted of a quiet run holds for a noisy one too.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlharness import telemetry
from mlharness.cli.main import main
from mlharness.telemetry import Host
from tests.e2e.conftest import MLH, Bench

pytestmark = pytest.mark.alone

QUICK = ("null", "--duration", "3", "--json")


@contextmanager
def busy_processes() -> Iterator[None]:
    """Two processes for each usable core that never rest."""
    count = 2 * len(os.sched_getaffinity(0))
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def measured(run: Path) -> list[dict[str, str]]:
    """The rows of the phase ``measure``."""
    rows = csv.DictReader((run / "telemetry.csv").read_text("utf-8").splitlines())
    return [row for row in rows if row["phase"] == "measure"]


def blames_others(quality: Mapping[str, Any]) -> bool:
    return any(reason.startswith("other processes took") for reason in quality["reasons"])


def test_a_busy_process_spoils_the_grade(bench: Bench) -> None:
    quiet = bench(*QUICK)
    with busy_processes():
        spoiled = bench(*QUICK)
    before, after = quiet.document["quality"], spoiled.document["quality"]
    assert quiet.document["status"] == spoiled.document["status"] == "valid"
    assert after["grade"] in ("C", "D")
    assert after["grade"] >= before["grade"]
    assert blames_others(after)
    assert after["stretches"]
    assert any("other processes took" in reason for reason in after["stretches"][0]["reasons"])
    rows = measured(spoiled.run)
    shares = [float(row["other_cpu"]) for row in rows]
    assert len(shares) == after["samples"]
    assert sum(shares) / len(shares) > 0.25
    first, last = float(rows[0]["start_s"]), float(rows[-1]["end_s"])
    for stretch in after["stretches"]:
        assert first - 0.001 <= stretch["start_s"] < stretch["end_s"] <= last + 0.001


def test_attempts_are_all_kept_and_the_code_is_3_when_none_is_good_enough(bench: Bench) -> None:
    with busy_processes():
        ran = bench(*QUICK, "--require-quality", "A", "--attempts", "2")
    assert ran.code == 3
    kept = [json.loads((run / "result.json").read_text("utf-8")) for run in sorted(ran.root.iterdir())]
    assert len(kept) == 2
    assert ran.document in kept
    assert ran.document["quality"]["grade"] == min(result["quality"]["grade"] for result in kept)
    assert "attempt 2 of 2" in ran.err


def test_an_accuracy_run_cannot_be_required_to_have_a_grade(bench: Bench) -> None:
    ran = bench("null", "--mode", "accuracy", "--require-quality", "B")
    assert ran.code == 2
    assert "only a performance run has a grade" in ran.err


@pytest.fixture
def bench_here(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: Mapping[str, str],
    tmp_path: Path,
) -> Iterator[Callable[..., Any]]:
    """``mlh bench`` in this process, where its parts can be replaced; gives the result of a run that ended well."""
    for name in ("MLH_DATA_DIR", "MLH_CACHE_DIR", "MLH_CONFIG_DIR"):
        monkeypatch.setenv(name, environment[name])

    def run(*arguments: str) -> Any:
        assert main(["bench", "--output", str(tmp_path / "runs"), *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


def test_telemetry_that_stops_leaves_a_valid_run_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, bench_here: Callable[..., Any]
) -> None:
    def broken(host: Host) -> int | None:
        raise PermissionError("/proc/vmstat is locked")

    monkeypatch.setattr(telemetry, "swapped", broken)
    result = bench_here(*QUICK)
    assert result["status"] == "valid"
    assert result["quality"] is None
    assert "telemetry stopped after 0 samples: PermissionError: /proc/vmstat is locked" in result["warnings"]


def test_the_runners_cpu_time_is_the_runs_own(monkeypatch: pytest.MonkeyPatch, bench_here: Callable[..., Any]) -> None:
    own_use, seen = telemetry.own_use, []

    def watched(host: Host, own: Collection[int]) -> tuple[float, int] | None:
        found, alone = own_use(host, own), own_use(host, (os.getpid(),))
        assert found is not None
        assert alone is not None
        seen.append(found[0] - alone[0])
        return found

    monkeypatch.setattr(telemetry, "own_use", watched)
    result = bench_here(*QUICK)
    assert result["quality"] is not None
    assert max(seen) > 0.1, "seconds that only the runner can have used"


def doctor(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*MLH, "doctor", "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=dict(environment))


def test_doctor_asks_runners(environment: Mapping[str, str]) -> None:
    done = doctor(environment)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["checks"]
    assert {"cores", "governor", "turbo", "load", "virtualisation", "swap", "plugins", "loadgen", "devices"} <= {
        row["check"] for row in rows
    }
    assert any(row["finding"].startswith("onnxruntime ") and "cpu" in row["finding"] for row in rows)
    assert [row for row in rows if (row["status"] == "ok") == bool(row["remedy"])] == []


def test_doctor_leaves_with_2_when_only_the_null_framework_is_left(environment: Mapping[str, str]) -> None:
    done = doctor(environment, "--block", "mlharness-onnxruntime")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"] == "nothing can run: framework: none that runs a model"
    assert "none that runs a model" in done.stderr
