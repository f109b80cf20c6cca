"""The watch over the host: which readings count, what is written, and that its failures never end a run."""

from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mlharness import monitor
from mlharness.monitor import Monitor
from mlharness.supervise import Watch
from mlharness.telemetry import Host, Reading


@pytest.fixture(autouse=True)
def _lone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not depend on the processes of this host."""
    monkeypatch.setattr(monitor, "family", lambda: (1,))


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def idle(host: Host, at_s: float, own: tuple[int, ...]) -> Reading:
    """A host on which nobody but the run works."""
    return Reading(at_s, busy_s=at_s, steal_s=0.0, own_s=at_s)


def make(reader: Callable[..., Reading] = idle, **arguments: Any) -> tuple[Monitor, Watch, Clock]:
    clock = Clock()
    watched = Monitor(reader=reader, clock=clock, **arguments)
    return watched, watched.watch(Watch()), clock


def run_test(watch: Watch, clock: Clock, seconds: int = 3) -> None:
    """A runner's phases, with a tick a second in ``measure``."""
    for phase in ("load", "samples", "measure"):
        watch.phase(phase, "", None)
        clock.now += 0.1
    for _ in range(seconds):
        clock.now += 1.0
        watch.progress("measure", 0, None, 0.0)


def test_only_the_performance_test_is_graded() -> None:
    def busy_before(host: Host, at_s: float, own: tuple[int, ...]) -> Reading:
        return Reading(at_s, busy_s=50.0 if at_s > 0 else 0.0, steal_s=0.0, own_s=0.0)

    watched, watch, clock = make(busy_before)
    run_test(watch, clock)
    watched.end_test()
    clock.now += 5
    run_test(watch, clock)
    found = watched.quality()
    assert found == {"grade": "A", "reasons": [], "stretches": [], "samples": 3}
    assert watched.warnings == []


def test_of_several_tests_the_last_is_graded() -> None:
    watched, watch, clock = make()
    run_test(watch, clock, seconds=9)
    run_test(watch, clock, seconds=2)
    watched.end_test()
    found = watched.quality()
    assert found is not None
    assert found["samples"] == 2


def test_without_a_performance_test_there_is_no_grade_and_no_warning() -> None:
    watched, watch, clock = make()
    run_test(watch, clock)
    assert watched.quality() is None
    assert watched.warnings == []


def test_stretches_count_from_the_runs_start() -> None:
    def spoiled(host: Host, at_s: float, own: tuple[int, ...]) -> Reading:
        return Reading(at_s, busy_s=100 * at_s, steal_s=0.0, own_s=0.0)

    watched, watch, clock = make(spoiled)
    clock.now += 40
    run_test(watch, clock)
    watched.end_test()
    found = watched.quality()
    assert found is not None
    assert [(stretch["start_s"], stretch["end_s"]) for stretch in found["stretches"]] == [(40.2, 43.3)]


def test_observers_hear_all_that_the_runner_said() -> None:
    heard: list[tuple[Any, ...]] = []
    watched, _, _ = make()
    watch = watched.watch(Watch(lambda *words: heard.append(words), lambda *words: heard.append(words)))
    watch.phase("load", "x on cpu", 2.0)
    watch.progress("load", 3, 4, 5.0)
    assert heard == [("load", "x on cpu", 2.0), ("load", 3, 4, 5.0)]


def test_telemetry_that_stops_is_a_warning_and_no_grade() -> None:
    numbers = count()

    def breaking(host: Host, at_s: float, own: tuple[int, ...]) -> Reading:
        if next(numbers) == 6:
            raise PermissionError("/proc/stat is locked")
        return idle(host, at_s, own)

    heard: list[str] = []
    watched, _, clock = make(breaking)
    watch = watched.watch(Watch(progress=lambda phase, *rest: heard.append(phase)))
    run_test(watch, clock, seconds=5)
    watched.end_test()
    assert watched.quality() is None
    assert watched.warnings == ["telemetry stopped after 5 samples: PermissionError: /proc/stat is locked"]
    assert len(heard) == 5


def test_a_host_that_cannot_be_opened_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(device: str) -> None:
        raise RuntimeError("driver mismatch")

    monkeypatch.setattr(monitor, "open_gpu", broken)
    watched, watch, clock = make(device="cuda:0")
    run_test(watch, clock)
    watched.end_test()
    assert watched.quality() is None
    assert watched.warnings == ["telemetry stopped after 0 samples: RuntimeError: driver mismatch"]


def test_a_host_that_does_not_tell_is_a_warning() -> None:
    watched, watch, clock = make(lambda host, at_s, own: Reading(at_s))
    run_test(watch, clock)
    watched.end_test()
    assert watched.quality() is None
    assert watched.warnings == ["no grade: this host does not tell what its processes use"]


def test_a_test_too_short_to_grade_is_a_warning() -> None:
    watched, watch, clock = make()
    run_test(watch, clock, seconds=0)
    watched.end_test()
    assert watched.quality() is None
    assert watched.warnings == ["no grade: the host was watched for 0.10 s only"]


def test_a_pause_is_a_warning_and_the_grade_stays() -> None:
    watched, watch, clock = make()
    run_test(watch, clock)
    clock.now += 30
    watched.end_test()
    found = watched.quality()
    assert found is not None
    assert found["grade"] == "A"
    assert watched.warnings == ["telemetry paused for 30.0 s: the parent process was held up"]


def test_processes_are_looked_up_before_the_test_only(monkeypatch: pytest.MonkeyPatch) -> None:
    families = iter([(1, 2), (1, 2, 3)])
    seen = []
    monkeypatch.setattr(monitor, "family", lambda: next(families))

    def reader(host: Host, at_s: float, own: tuple[int, ...]) -> Reading:
        seen.append(own)
        return idle(host, at_s, own)

    _, watch, clock = make(reader)
    run_test(watch, clock)
    assert seen == [(1, 2), *[(1, 2, 3)] * 5]


def test_all_phases_are_written(tmp_path: Path) -> None:
    watched, watch, clock = make()
    run_test(watch, clock)
    watched.end_test()
    watched.close(tmp_path)
    rows = list(csv.DictReader((tmp_path / "telemetry.csv").read_text("utf-8").splitlines()))
    assert [row["phase"] for row in rows] == ["load", "samples", "measure", "measure", "measure"]
    assert float(rows[0]["start_s"]) == 0.0


def test_what_was_completed_counts_anew_in_each_phase(tmp_path: Path) -> None:
    watched, watch, clock = make()
    watch.phase("samples", "", None)
    clock.now += 1.0
    watch.progress("samples", 64, 64, 1.0)
    watch.phase("measure", "", None)
    for done in (100, 300):
        clock.now += 2.0
        watch.progress("measure", done, None, 0.0)
    clock.now += 1.0
    watched.end_test()  # how many there were in the end is LoadGen's to say
    watched.close(tmp_path)
    rows = csv.DictReader((tmp_path / "telemetry.csv").read_text("utf-8").splitlines())
    assert [(row["phase"], row["samples_s"]) for row in rows] == [
        ("samples", ""), ("measure", "50.0"), ("measure", "100.0"), ("measure", ""),
    ]  # fmt: skip


def test_nothing_is_written_of_nothing(tmp_path: Path) -> None:
    make()[0].close(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_warning(tmp_path: Path) -> None:
    watched, watch, clock = make()
    run_test(watch, clock)
    watched.close(tmp_path / "gone")
    assert watched.warnings == ["telemetry.csv could not be written: No such file or directory"]


def test_the_gpu_is_let_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed: list[bool] = []

    class FakeGpu:
        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(monitor, "open_gpu", lambda device: FakeGpu())
    make(device="cuda:0")[0].close(tmp_path)
    assert closed == [True]
