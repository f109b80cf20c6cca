"""The probes over made-up /proc and /sys trees, and the arithmetic from readings to samples."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from mlharness import telemetry
from mlharness.gpu import GpuReading
from mlharness.monitor import family
from mlharness.telemetry import Host, Reading, between, make_samples

TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
STAT = """\
cpu  1000 1000 1000 9000 900 90 90 900 0 0
cpu0 100 10 20 500 50 3 4 7 90 90
cpu1 200 20 30 600 60 5 6 8 0 0
cpu10 9999 9999 9999 0 0 0 0 9999 0 0
intr 1 2 3
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with two usable cores that tells nothing yet."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "sys").mkdir()
    return Host((0, 1), tmp_path / "proc", tmp_path / "sys")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def put_process(host: Host, pid: int, faults: tuple[int, int], ticks: tuple[int, int, int, int]) -> None:
    """A process whose name is meant to mislead a reader of its fields."""
    head = f"{pid} (bad) name (x) S 1 {pid} {pid} 0 -1 4194304 500 600"
    times = " ".join(map(str, ticks))
    put(host.proc / str(pid) / "stat", f"{head} {faults[0]} {faults[1]} {times} 20 0 7 0 1234 100 200\n")


def test_a_host_that_tells_nothing_gives_none(host: Host) -> None:
    assert telemetry.read(host, 1.5, (4711,)) == Reading(1.5)


def test_cpu_seconds_are_those_of_the_usable_cores(host: Host) -> None:
    put(host.proc / "stat", STAT)
    busy, steal = telemetry.cpu_seconds(host) or (None, None)
    assert busy == pytest.approx((100 + 10 + 20 + 3 + 4 + 200 + 20 + 30 + 5 + 6) * TICK)
    assert steal == pytest.approx((7 + 8) * TICK)


def test_an_old_kernel_without_steal_tells_nothing(host: Host) -> None:
    put(host.proc / "stat", "cpu0 1 2 3 4\ncpu1 1 2 3 4\n")
    assert telemetry.cpu_seconds(host) is None


def test_own_use_adds_processes_and_their_ended_children(host: Host) -> None:
    put_process(host, 7, (1, 2), (10, 20, 30, 40))
    put_process(host, 8, (5, 0), (1, 1, 0, 0))
    seconds, faults = telemetry.own_use(host, (7, 8, 9)) or (None, None)
    assert seconds == pytest.approx(102 * TICK)
    assert faults == 8


@pytest.mark.parametrize(
    ("membership", "folder", "quiet"),
    [("0::/box/inner\n", "box/inner", "box"), ("3:cpu,cpuacct:/box/inner\n", "cpu/box/inner", "cpu/box")],
)
def test_the_most_throttled_group_counts(host: Host, membership: str, folder: str, quiet: str) -> None:
    put(host.proc / "self/cgroup", membership)
    put(host.sys / "fs/cgroup" / folder / "cpu.stat", "usage_usec 5\nnr_periods 50\nnr_throttled 9\n")
    put(host.sys / "fs/cgroup" / quiet / "cpu.stat", "nr_periods 80\nnr_throttled 0\n")
    assert telemetry.throttling(host) == (50, 9)


def test_a_group_without_quota_tells_no_periods(host: Host) -> None:
    put(host.proc / "self/cgroup", "0::/\n")
    put(host.sys / "fs/cgroup/cpu.stat", "usage_usec 5\nuser_usec 3\n")
    assert telemetry.throttling(host) is None


def test_swapping_is_in_bytes_both_ways(host: Host) -> None:
    put(host.proc / "vmstat", "pgpgin 99\npswpin 3\npswpout 4\npswpinx 50\n")
    assert telemetry.swapped(host) == 7 * PAGE


def test_the_clock_is_that_of_the_fastest_usable_core(host: Host) -> None:
    for core, khz in enumerate((800000, 3500000, 9900000)):
        put(host.sys / f"devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq", f"{khz}\n")
    assert telemetry.clock(host) == 3500


def test_a_gpu_is_read_with_the_runs_processes(host: Host) -> None:
    class FakeGpu:
        def read(self, own: tuple[int, ...]) -> GpuReading:
            return GpuReading(1410.0, len(own))

    found = telemetry.read(Host(host.cores, host.proc, host.sys, FakeGpu()), 0.0, (1, 2))  # type: ignore[arg-type]  # a fake
    assert (found.gpu_clock_mhz, found.gpu_foreign) == (1410.0, 2)


def test_this_host_can_be_read() -> None:
    host = telemetry.usable_host()
    first = telemetry.read(host, 0.0, family())
    assert set(host.cores) == os.sched_getaffinity(0)
    assert first.own_s is not None
    assert first.own_s > 0


def test_between_gives_shares_and_rates() -> None:
    first = Reading(10.0, 100.0, 5.0, 40.0, 10, 100, 10, 0, 3000.0, None, 0)
    last = Reading(12.0, 103.0, 6.0, 42.0, 14, 120, 15, 4 * 2**20, 2000.0, None, 1)
    found = between("measure", first, last, cores=2)
    assert (found.start_s, found.end_s, found.seconds) == (10.0, 12.0, 2.0)
    assert found.other_cpu == pytest.approx((3 - 2) / (2 * 2))
    assert found.steal == pytest.approx(1 / (3 + 1))
    assert found.throttled == pytest.approx(0.25)
    assert (found.swap_mib_s, found.major_faults_s, found.clock_mhz, found.gpu_foreign) == (2.0, 2.0, 2000.0, 1)


def test_the_runs_own_ticks_are_never_less_than_nothing_for_others() -> None:
    found = between("measure", Reading(0.0, 0.0, 0.0, 0.0), Reading(1.0, 1.0, 0.0, 1.1), cores=2)
    assert (found.other_cpu, found.steal) == (0.0, 0.0)


def test_a_counter_that_fell_tells_nothing() -> None:
    found = between("measure", Reading(0.0, 0.0, 0.0, 5.0), Reading(1.0, 1.0, 0.0, 3.0), cores=2)
    assert found.other_cpu is None
    assert found.steal == 0.0


def test_unknown_counters_stay_unknown() -> None:
    found = between("measure", Reading(0.0), Reading(1.0), cores=2)
    assert found == telemetry.Sample("measure", 0.0, 1.0)


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ((), []),
        ((3.0,), []),
        ((3.0, 3.0), []),
        ((0.0, 1.0, 2.0), [(0.0, 1.0), (1.0, 2.0)]),
        ((0.0, 1.0, 2.0, 2.1), [(0.0, 1.0), (1.0, 2.1)]),
        ((0.0, 0.1, 1.0), [(0.0, 1.0)]),
        ((0.0, 0.2), [(0.0, 0.2)]),
    ],
)
def test_short_intervals_join_their_neighbours(moments: tuple[float, ...], expected: list[tuple[float, float]]) -> None:
    samples = make_samples("measure", [Reading(moment) for moment in moments], 2)
    assert [(sample.start_s, sample.end_s) for sample in samples] == expected


def test_csv_has_a_row_a_sample_and_leaves_unknown_cells_empty(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.csv"
    telemetry.write_csv(path, [telemetry.Sample("load", 0.0, 1.23456789, other_cpu=0.5)])
    (row,) = csv.DictReader(path.read_text("utf-8").splitlines())
    assert (row["phase"], row["end_s"], row["other_cpu"], row["clock_mhz"]) == ("load", "1.234568", "0.5", "")
    assert list(tmp_path.iterdir()) == [path]


def test_csv_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "telemetry.csv").mkdir()
    with pytest.raises(OSError, match="directory"):
        telemetry.write_csv(tmp_path / "telemetry.csv", [])
    assert [path.name for path in tmp_path.iterdir()] == ["telemetry.csv"]
