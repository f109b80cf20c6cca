"""Calibration: the executor is measured as LoadGen will use it, and always to an end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from mlharness.runner import calibration
from mlharness.runner.calibration import MIN_QUERIES, calibrate
from mlharness.runner.executors import Executor
from mlharness.runner.job import Calibration

Clock = Callable[[], int]


class FakeExecutor:
    """Takes a fixed time per sample by a clock of its own; completes in pieces, from another thread if told."""

    def __init__(self, per_sample_ns: float, threaded: bool = False) -> None:
        self.workers = [SimpleNamespace(complete=None), SimpleNamespace(complete=None)]
        self.queries: list[tuple[list[int], list[int]]] = []
        self.now_ns = 0
        self._per_sample_ns, self._threaded = per_sample_ns, threaded

    def clock(self) -> int:
        return self.now_ns

    def issue(self, ids: list[int], indices: list[int]) -> None:
        self.queries.append((ids, indices))
        if self._threaded:
            threading.Thread(target=self._answer, args=(ids,)).start()
        else:
            self._answer(ids)

    def _answer(self, ids: list[int]) -> None:
        self.now_ns += round(len(ids) * self._per_sample_ns)
        half = (len(ids) + 1) // 2
        self.workers[0].complete([object()] * half)
        if len(ids) > half:
            self.workers[1].complete([object()] * (len(ids) - half))


def run(
    monkeypatch: pytest.MonkeyPatch, scenario: str, per_sample_ns: float, size: int = 8, threaded: bool = False
) -> tuple[Calibration, FakeExecutor]:
    executor = FakeExecutor(per_sample_ns, threaded)
    monkeypatch.setattr(calibration, "perf_counter_ns", executor.clock)
    found = calibrate(cast("Executor", executor), range(5), scenario, size)
    return found, executor


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize(
    ("scenario", "latency_ms"), [("SingleStream", 2), ("MultiStream", 16), ("Offline", 2), ("Server", 2)]
)
def test_latency_of_a_query_and_samples_a_second(
    monkeypatch: pytest.MonkeyPatch, scenario: str, latency_ms: int, threaded: bool
) -> None:
    found, _ = run(monkeypatch, scenario, 2e6, threaded=threaded and scenario != "Server")
    assert found.query_latency_ns == latency_ms * 1_000_000
    assert found.samples_per_second == pytest.approx(500.0)


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream", "Offline", "Server"])
def test_a_slow_model_is_asked_only_a_few_times(monkeypatch: pytest.MonkeyPatch, scenario: str) -> None:
    found, executor = run(monkeypatch, scenario, 30e9)
    samples = sum(len(ids) for ids, _ in executor.queries)
    assert samples <= MIN_QUERIES * 8
    assert found.samples_per_second == pytest.approx(1 / 30)


@pytest.mark.parametrize("scenario", ["SingleStream", "Offline", "Server"])
def test_a_fast_model_is_measured_for_long_enough(monkeypatch: pytest.MonkeyPatch, scenario: str) -> None:
    found, executor = run(monkeypatch, scenario, 10_000)
    assert executor.now_ns >= 0.5e9
    assert found.samples_per_second == pytest.approx(100_000)


def test_servers_latency_is_that_of_a_query_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers that answer side by side halve the time per query, and not that of one."""
    executor = FakeExecutor(2e6)
    monkeypatch.setattr(calibration, "perf_counter_ns", executor.clock)
    monkeypatch.setattr(calibration, "calibrate_rate", lambda burst, executor, samples: Calibration(1_000_000, 1000.0))
    found = calibrate(cast("Executor", executor), range(5), "Server", 8)
    assert found == Calibration(2_000_000, 1000.0)


def test_one_that_costs_nothing_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock too coarse to see a query at all."""
    executor = FakeExecutor(0)
    ticks = iter(range(0, 10**12, 10_000_000))
    monkeypatch.setattr(calibration, "perf_counter_ns", lambda: next(ticks))
    found = calibrate(cast("Executor", executor), range(5), "SingleStream", 8)
    assert found.samples_per_second > 0


def test_queries_are_of_the_scenarios_size_and_over_all_loaded_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    _, multi = run(monkeypatch, "MultiStream", 1e6)
    assert {len(ids) for ids, _ in multi.queries} == {8}
    assert {index for _, indices in multi.queries for index in indices} == set(range(5))
    _, server = run(monkeypatch, "Server", 1e6)
    assert {len(ids) for ids, _ in server.queries} == {1}
    _, offline = run(monkeypatch, "Offline", 1e6)
    sizes = [len(ids) for ids, _ in offline.queries]
    assert sizes == sorted(sizes)
    assert all(len(set(ids)) == len(ids) == len(indices) for ids, indices in offline.queries)
