"""Watches the host while a run goes on, in the parent, on its own thread, when a runner's phase or progress is told.

There is no thread for it: the parent wakes once a second anyway, and a second waker would take more from what is
measured. Whatever fails here is a warning of the result, never the run's end.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import psutil

from mlharness import quality, telemetry
from mlharness.gpu import open_gpu
from mlharness.supervise import Watch
from mlharness.telemetry import Host, Reading, Sample

FILE = "telemetry.csv"
FAMILY_PHASES = ("load", "samples")
"""Phases at whose start the run's processes are looked up: when a runner begins, and last before LoadGen, where the
look at every process of the host (some ms) costs nothing that is timed."""
PAUSE_S = 5.0
"""The parent wakes every second; when it did not for this long, somebody stopped it, or the whole host was stuck."""

Read = Callable[[Host, float, tuple[int, ...]], Reading]


@dataclass
class Segment:
    """One phase and its readings so far, the last of which is the first of the next phase."""

    phase: str
    readings: list[Reading] = field(default_factory=list)


class Monitor:
    """The watch over one run's host; made when the run starts, which is its zero of time.

    Args:
        device: the framework's device; a GPU is only watched when it is used.
        reader: reads the host's counters.
        clock: seconds that never go back.
    """

    def __init__(self, device: str = "cpu", reader: Read = telemetry.read, clock: Callable[[], float] = monotonic):
        self.warnings: list[str] = []
        self._read, self._clock, self._began = reader, clock, clock()
        self._segments: list[Segment] = []
        self._graded: Segment | None = None
        self._family: tuple[int, ...] = (os.getpid(),)
        self._stopped = False
        self._host = telemetry.usable_host()
        self._try(lambda: self._open(device))

    def watch(self, told: Watch) -> Watch:
        """The same watch, with the host read before each phase and progress is handed on."""

        def phase(name: str, detail: str, expected_s: float | None) -> None:
            self._try(lambda: self._begin(name))
            told.phase(name, detail, expected_s)

        def progress(name: str, done: int, total: int | None, elapsed_s: float) -> None:
            self._try(lambda: self._sample(done))
            told.progress(name, done, total, elapsed_s)

        return Watch(phase, progress)

    def end_test(self) -> None:
        """The performance test has ended: its last phase ``measure`` is what is graded."""
        self._try(self._sample)
        measured = [segment for segment in self._segments if segment.phase == "measure"]
        self._graded = measured[-1] if measured else None
        self._segments.append(Segment("end"))

    def samples(self) -> list[Sample]:
        """All samples of the run, in order."""
        return [sample for segment in self._segments for sample in self._samples_of(segment)]

    def quality(self) -> dict[str, Any] | None:
        """The result's ``quality``; None when no performance test ended, or telemetry stopped, which is then warned."""
        if self._graded is None or self._stopped:
            return None
        samples = self._samples_of(self._graded)
        found = quality.grade(samples)
        seconds = sum(sample.seconds for sample in samples)
        if seconds < telemetry.MIN_INTERVAL_S:
            self.warnings.append(f"no grade: the host was watched for {seconds:.2f} s only")
            return None
        if found is None:
            self.warnings.append("no grade: this host does not tell what its processes use")
        longest = max(sample.seconds for sample in samples)
        if longest > PAUSE_S:
            self.warnings.append(f"telemetry paused for {longest:.1f} s: the parent process was held up")
        return found

    def close(self, directory: Path) -> None:
        """Write ``telemetry.csv``, if there is anything to write, and let go of the GPU."""
        samples = self.samples()
        try:
            if samples:
                telemetry.write_csv(directory / FILE, samples)
        except OSError as error:
            self.warnings.append(f"{FILE} could not be written: {error.strerror}")
        if self._host.gpu is not None:
            self._try(self._host.gpu.close)

    def _open(self, device: str) -> None:
        self._host = telemetry.usable_host(device, open_gpu)

    def _begin(self, phase: str) -> None:
        if phase in FAMILY_PHASES:
            self._family = family()
        self._sample()
        last = self._segments[-1].readings[-1:] if self._segments else []
        self._segments.append(Segment(phase, [replace(reading, completed=0) for reading in last]))
        if not last:
            self._sample(0)

    def _sample(self, completed: int | None = None) -> None:
        if self._segments:
            found = self._read(self._host, self._clock() - self._began, self._family)
            self._segments[-1].readings.append(replace(found, completed=completed))

    def _samples_of(self, segment: Segment) -> list[Sample]:
        return telemetry.make_samples(segment.phase, segment.readings, len(self._host.cores))

    def _try(self, action: Callable[[], object]) -> None:
        """Do it; the first failure is noted and ends telemetry, but never the run."""
        if self._stopped:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001  # whatever a driver or the kernel's files do, the run goes on
            self._stopped = True
            count = len(self.samples())
            self.warnings.append(f"telemetry stopped after {count} samples: {type(error).__name__}: {error}")


def family() -> tuple[int, ...]:
    """The process ids of this process and all that descend from it."""
    return (os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True)))
