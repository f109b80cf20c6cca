"""Probes of the host over a made-up /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.telemetry import Host
from mlharness.trace.hardware import host as hosts
from mlharness.trace.hardware.probe import Probe
from mlharness.trace.spans import Spans

SECOND = 1_000_000_000


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with two usable cores that tells nothing yet."""
    return Host((0, 1), tmp_path / "proc", tmp_path / "sys")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def readings(probe: Probe, spans: Spans, now_ns: int) -> dict[str, tuple[float, str]]:
    """What one more reading of the probe adds: value and unit by name."""
    before = spans.count_of_readings
    probe.read(spans, now_ns)
    return {name: (value, unit) for _, name, unit, _, value in spans.readings()[before:]}


def put_cores(host: Host, busy: int, steal: int) -> None:
    put(host.proc / "stat", "".join(f"cpu{core} {busy} 0 0 100 0 0 0 {steal} 0 0\n" for core in (0, 1)))


def test_others_and_the_hypervisor_take_their_shares(host: Host) -> None:
    spans, probe = Spans("host-cpu"), hosts.Shares(host, hosts.CPU)
    assert "/proc/stat" in hosts.no_cpu(host)
    put_cores(host, 100, 0)
    assert hosts.no_cpu(host) == ""
    assert readings(probe, spans, SECOND) == {}
    put_cores(host, 175, 25)  # of 1 s, 75 ticks of each core: none is ours, since this /proc has no processes
    assert readings(probe, spans, 2 * SECOND) == {"cpu.steal": (25.0, "%")}


def test_a_quota_that_is_used_up_is_told(host: Host) -> None:
    spans, probe = Spans("cgroup-throttling"), hosts.Shares(host, hosts.THROTTLING)
    assert hosts.no_throttling(host) == "no control group of this process has a CPU quota"
    put(host.proc / "self/cgroup", "0::/box\n")
    stat = host.sys / "fs/cgroup/box/cpu.stat"
    put(stat, "nr_periods 50\nnr_throttled 9\n")
    assert hosts.no_throttling(host) == ""
    readings(probe, spans, SECOND)
    put(stat, "nr_periods 60\nnr_throttled 12\n")
    assert readings(probe, spans, 2 * SECOND) == {"cgroup.throttled": (30.0, "%")}


def test_memory_and_swapping(host: Host) -> None:
    spans, probe = Spans("host-memory"), hosts.Memory(host)
    assert hosts.no_memory(host)
    put(host.proc / "self/statm", "1000 300 20 1 0 90 0\n")
    put(host.proc / "vmstat", "pswpin 0\npswpout 0\n")
    assert hosts.no_memory(host) == ""
    first = readings(probe, spans, SECOND)
    assert first["memory.available"][0] > 0
    assert first["memory.resident"] == (300.0 * probe._page, "bytes")
    put(host.proc / "vmstat", "pswpin 3\npswpout 1\n")
    assert readings(probe, spans, 3 * SECOND)["memory.swapped"] == (2 * probe._page, "bytes/s")


def test_each_core_has_its_clock(host: Host) -> None:
    assert hosts.no_clocks(host).startswith("the kernel tells no CPU clocks")
    for core, khz in enumerate((800_000, 3_500_000, 9_900_000)):
        put(host.sys / f"devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq", f"{khz}\n")
    assert hosts.no_clocks(host) == ""
    found = readings(hosts.Clocks(host), Spans("cpu-clocks"), SECOND)
    expected = {"core0.frequency": 800.0, "core1.frequency": 3500.0, "cpu.clock": 3500.0}
    assert found == {name: (mhz, "MHz") for name, mhz in expected.items()}


def test_pressure_is_the_share_of_time(host: Host) -> None:
    spans, probe = Spans("host-pressure"), hosts.Pressure(host)
    assert hosts.no_pressure(host) == "the kernel tells no pressure (PSI)"
    put(host.proc / "pressure/cpu", "some avg10=1.00 avg60=1.00 avg300=1.00 total=1000\nfull avg10=0 total=5\n")
    assert hosts.no_pressure(host) == ""
    assert readings(probe, spans, SECOND) == {}
    put(host.proc / "pressure/cpu", "some avg10=1.00 avg60=1.00 avg300=1.00 total=501000\nfull avg10=0 total=5\n")
    expected = {"pressure.cpu.some": (25.0, "%"), "pressure.cpu.full": (0.0, "%")}
    assert readings(probe, spans, 3 * SECOND) == expected
