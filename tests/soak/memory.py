"""The memory of measuring processes, and of those that watch them, over time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

LOG = "mlperf_log_detail.txt"
"""LoadGen makes it when a test begins."""
SECONDS_BETWEEN = 0.25
LEAD = 0.2
"""The share of the test that is left out at its beginning: LoadGen generates its queries, buffers reach their size."""


@dataclass(frozen=True)
class Curve:
    """Resident bytes of a process, by seconds since its LoadGen test began; ``seconds`` is how long that lasted."""

    points: tuple[tuple[float, int], ...]
    seconds: float

    def at(self, second: float) -> float:
        """Resident MiB at the sample that is next to this second."""
        return min(self.points, key=lambda point: abs(point[0] - second))[1] / 2**20

    @property
    def window(self) -> tuple[float, float]:
        """From where to where growth is measured, in seconds: the end is cut off too, where LoadGen sums up."""
        return LEAD * self.seconds, self.seconds

    @property
    def growth(self) -> float:
        """MiB between the ends of the window."""
        first, last = self.window
        return self.at(last) - self.at(first)


Role = Callable[[psutil.Process], bool]


def watch(command: Sequence[str], root: Path, seconds: float, *roles: Role) -> tuple[Curve, ...]:
    """Run a command and follow the memory of some of its processes; returns one curve for each role.

    Args:
        command: what to run, from the checkout.
        root: folder under which LoadGen's log will appear.
        seconds: how long the LoadGen test lasts.
        roles: each tells one process from the others.

    Raises:
        RuntimeError: the command failed, or never began to measure.
    """
    before, begun = set(root.rglob(LOG)), 0.0
    points: tuple[list[tuple[float, int]], ...] = tuple([] for _ in roles)
    with subprocess.Popen(
        [*command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
    ) as process:
        while process.poll() is None:
            time.sleep(SECONDS_BETWEEN)
            if not begun and set(root.rglob(LOG)) - before:
                begun = time.monotonic()
            if begun and time.monotonic() - begun <= seconds:
                for curve, role in zip(points, roles, strict=True):
                    curve += [(time.monotonic() - begun, size) for size in resident(process.pid, role)]
        told = process.stderr.read() if process.stderr else ""
    if process.returncode or not all(points):
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{told}")
    return tuple(Curve(tuple(curve), seconds) for curve in points)


def resident(pid: int, role: Role) -> list[int]:
    """The resident bytes of the process of that role below or at this one; nothing when it is just not there."""
    try:
        top = psutil.Process(pid)
        return [found.memory_info().rss for found in (top, *top.children(recursive=True)) if role(found)][:1]
    except psutil.Error:
        return []


def runs_module(name: str) -> Role:
    """Tells a ``python -m NAME``."""
    return lambda process: name in process.cmdline()


def python(module: str, *arguments: str) -> list[str]:
    """The command of a module."""
    return [sys.executable, "-m", module, *arguments]
