"""The peaks of a host: how they are measured, kept, and held to be those of the run."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

from mlharness.analysis import peaks
from mlharness.analysis.calibration import host_peaks, kept_in, measure_peaks, peaks_missing
from mlharness.analysis.traced import Peaks
from mlharness.errors import RunError

FOUND = {"flops_per_s": 50e9, "bytes_per_s": 10e9, "array_bytes": 64 << 20, "seconds": 0.7}


class Worker:
    """Stands for the process that measures."""

    def __init__(self, answer: str = json.dumps(FOUND)) -> None:
        self.answer, self.calls = answer, 0
        self.environment: dict[str, str] = {}
        self.command: list[str] = []

    def __call__(self, command: list[str], env: dict[str, str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.command, self.environment = command, env
        self.calls += 1
        return subprocess.CompletedProcess(command, 0, self.answer, "")


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Worker:
    found = Worker()
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", found)
    return found


def test_they_are_measured_once_for_each_number_of_threads(worker: Worker) -> None:
    told: list[str] = []
    first = host_peaks(2, told.append)
    assert (first.flops_per_s, first.bytes_per_s, first.ridge) == (50e9, 10e9, 5)
    assert host_peaks(2, told.append) == first
    assert (worker.calls, len(told)) == (1, 1)
    host_peaks(1, told.append)
    assert (worker.calls, len(told)) == (2, 2)
    assert "2 threads: 50.0 GFLOP/s" in first.how


@pytest.mark.parametrize("text", ["{", "{}", '{"flops_per_s": 0, "bytes_per_s": 1}'])
def test_what_was_kept_and_is_damaged_is_measured_anew(worker: Worker, text: str) -> None:
    kept_in(1).parent.mkdir()
    kept_in(1).write_text(text)
    assert host_peaks(1).bytes_per_s == 10e9
    assert json.loads(kept_in(1).read_text())["threads"] == 1


def test_a_cache_that_cannot_be_written_costs_time_alone(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "file"))
    assert [host_peaks(1).flops_per_s for _ in range(2)] == [50e9, 50e9]
    assert worker.calls == 2


def test_below_numpy_there_is_one_thread_since_each_of_ours_has_its_own_problem(worker: Worker) -> None:
    measure_peaks(3)
    assert worker.command[-2:] == ["mlharness.analysis.peaks", "3"]
    for library in ("OPENBLAS", "OMP", "MKL"):
        assert worker.environment[f"{library}_NUM_THREADS"] == "1"


def test_a_worker_that_answers_nothing_is_an_error(worker: Worker) -> None:
    worker.answer = ""
    with pytest.raises(RunError, match="cannot be measured"):
        measure_peaks(1)


def test_a_worker_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **options: Any) -> None:
        raise subprocess.CalledProcessError(1, command, "", "MemoryError: no room")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(RunError, match="no room"):
        measure_peaks(1)


@pytest.mark.parametrize(
    ("device", "host", "why"),
    [("cpu", platform.node(), ""), ("cuda:0", platform.node(), "cuda:0"), ("cpu", "elsewhere", "elsewhere"),
     ("cpu", None, "unknown host")],
)  # fmt: skip
def test_only_this_hosts_processors_can_be_measured(device: str, host: str | None, why: str) -> None:
    system = {"host": host} if host else {}
    found = peaks_missing({"framework": {"device": device}, "system": system})
    assert why in found
    assert bool(found) == bool(why)


def test_the_roof_is_memory_up_to_the_ridge_and_operations_beyond() -> None:
    found = Peaks(100e9, 10e9, "")
    assert [found.roof(intensity) for intensity in (1, 10, 100)] == [10e9, 100e9, 100e9]


def at_once(work: Callable[[int], object]) -> float:
    work(0)
    return 0.5


def test_operations_and_bytes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "best", at_once)
    assert peaks.flops_per_s(3, 64) == 3 * 2 * 64**3 / 0.5
    assert peaks.bytes_per_s(2, 8000) == 5 * 8000 / 0.5
    assert peaks.bytes_per_s(2, 100 << 20) == 5 * peaks.BLOCK / 0.5


def test_the_fastest_repetition_counts_but_the_first_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "SECONDS", 0.05)
    waits = [0, 0.02, 0.01, 0.03, 0.02]
    seen: list[int] = []

    def work(repetition: int) -> None:
        seen.append(repetition)
        sleep(waits[min(repetition, 4)])

    assert 0.01 <= peaks.best(work) < 0.02
    assert seen[:4] == [0, 1, 2, 3]


def test_the_triad_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    ones = np.ones

    def kept(*shape: Any) -> Any:
        made.append(ones(*shape))
        return made[-1]

    monkeypatch.setattr(np, "ones", kept)
    monkeypatch.setattr(peaks, "best", at_once)
    peaks.bytes_per_s(1, 400)
    assert made[0].tolist() == [4.0] * 100, "1 + 3 * 1"


@pytest.mark.parametrize(("cache", "wanted"), [(0, 32), (3, 32), (48, 64), (1024, 256)])
def test_arrays_outgrow_the_cache_within_bounds(cache: int, wanted: int) -> None:
    assert peaks.triad_bytes(cache << 20) == wanted << 20


def test_the_largest_cache_is_found(tmp_path: Path) -> None:
    assert peaks.cache_bytes(tmp_path) == 0
    for place, text in enumerate(("32K", "2048K\n", "none", "512")):
        (tmp_path / f"index{place}").mkdir()
        (tmp_path / f"index{place}" / "size").write_text(text)
    assert peaks.cache_bytes(tmp_path) == 2 << 20


@pytest.mark.alone
def test_this_host_can_be_measured() -> None:
    found = measure_peaks(1)
    assert found["flops_per_s"] > found["bytes_per_s"] / 4 > 1e7, "more than one operation for each number it reads"
