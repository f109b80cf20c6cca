"""RAPL over a made-up /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.telemetry import Host
from mlharness.trace.hardware.energy import Energy, no_energy
from mlharness.trace.spans import Spans

SECOND = 1_000_000_000


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with one package, which wraps at 1000 J, and its memory."""
    put(tmp_path, "intel-rapl:0", "package-0", 990_000_000)
    put(tmp_path, "intel-rapl:0:0", "dram", 5_000_000)
    return Host((0,), tmp_path / "proc", tmp_path)


def put(sys: Path, zone: str, name: str, microjoules: int) -> Path:
    folder = sys / "class/powercap" / zone
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text("1000000000\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder


def test_energy_adds_up_over_a_counter_that_wraps(host: Host) -> None:
    spans, probe = Spans("cpu-energy"), Energy(host)
    assert no_energy(host) == ""
    probe.read(spans, SECOND)
    assert spans.count_of_readings == 0
    for second, (package, dram) in enumerate([(998_000_000, 6_000_000), (10_000_000, 8_000_000)], start=3):
        put(host.sys, "intel-rapl:0", "package-0", package)
        put(host.sys, "intel-rapl:0:0", "dram", dram)
        probe.read(spans, second * SECOND)
    found = [(name, unit, moment // SECOND, round(value, 6)) for _, name, unit, moment, value in spans.readings()]
    assert found == [
        ("package-0.energy", "J", 3, 8.0), ("package-0.power", "W", 3, 4.0),
        ("package-0.dram.energy", "J", 3, 1.0), ("package-0.dram.power", "W", 3, 0.5),
        ("package-0.energy", "J", 4, 20.0), ("package-0.power", "W", 4, 12.0),
        ("package-0.dram.energy", "J", 4, 3.0), ("package-0.dram.power", "W", 4, 2.0),
    ]  # fmt: skip


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    assert no_energy(Host((0,), tmp_path, tmp_path)).startswith("no energy counters (RAPL, in /sys/class/powercap)")


def test_counters_that_only_root_may_read_say_so(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def refuse(path: Path, *arguments: str) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert no_energy(host) == "the energy counters (RAPL) may be read by root alone"


def test_counters_that_hold_nonsense_say_so(host: Host) -> None:
    (host.sys / "class/powercap/intel-rapl:0/energy_uj").write_text("lots\n")
    assert "cannot be read" in no_energy(host)
