"""Energy of processors by RAPL, through the kernel's powercap: joules since the test began, and watts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlharness.telemetry import Host
from mlharness.trace.hardware.probe import Growth
from mlharness.trace.spans import Spans


@dataclass(frozen=True)
class Zone:
    """One counter, of a package or of a part of it: ``package-0``, ``package-0.dram``; it wraps at ``most`` joules."""

    name: str
    path: Path
    most: float

    def joules(self) -> float:
        """The counter now. Raises OSError."""
        return int(self.path.read_text()) / 1e6


class Energy:
    """Every zone that this machine has."""

    least_s = 0.05
    """The counters are renewed every millisecond."""

    def __init__(self, host: Host) -> None:
        self._zones = list(zones(host.sys))
        self._growth = Growth()
        self._used = dict.fromkeys((zone.name for zone in self._zones), 0.0)

    def start(self) -> None:
        """Nothing to open."""

    def read(self, spans: Spans, now_ns: int) -> None:
        """Add energy and power of each zone."""
        for zone in self._zones:
            grown = self._growth.since_last(zone.name, now_ns, zone.joules(), zone.most)
            if grown is None:
                continue
            joules, seconds = grown
            self._used[zone.name] += joules
            spans.read(f"{zone.name}.energy", "J", now_ns, self._used[zone.name])
            spans.read(f"{zone.name}.power", "W", now_ns, joules / seconds)

    def close(self) -> None:
        """Nothing to close."""


def zones(sys: Path) -> Iterator[Zone]:
    """The zones; that of a part is named after its package, since each package has a ``core``."""
    for folder in sorted((sys / "class/powercap").glob("intel-rapl:*")):
        try:
            name, most = (folder / "name").read_text().strip(), int((folder / "max_energy_range_uj").read_text()) / 1e6
        except (OSError, ValueError):
            continue
        package = folder.with_name(folder.name.rpartition(":")[0]) / "name"
        if folder.name.count(":") > 1 and package.is_file():
            name = f"{package.read_text().strip()}.{name}"
        yield Zone(name, folder / "energy_uj", most)


def no_energy(host: Host) -> str:
    """Why there is no energy to read."""
    found = list(zones(host.sys))
    if not found:
        return "no energy counters (RAPL, in /sys/class/powercap), as is usual in a virtual machine"
    try:
        for zone in found:
            zone.joules()
    except PermissionError:
        return "the energy counters (RAPL) may be read by root alone"
    except (OSError, ValueError) as error:
        return f"the energy counters (RAPL) cannot be read: {error}"
    return ""
