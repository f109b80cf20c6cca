"""How long a user waits: ``mlh --help``, and from Enter to LoadGen's start beyond what the framework itself takes."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.measure import UNTOLD, Row, median, spread

_PHASES = re.compile(r"^(floor|load|warmup|calibrate|samples|measure)", re.MULTILINE)


def help_seconds() -> float:
    """Wall time of ``mlh --help``."""
    start = time.perf_counter()
    subprocess.run([str(Path(sys.executable).parent / "mlh"), "--help"], check=True, capture_output=True)
    return time.perf_counter() - start


def seconds_before_loadgen(root: Path) -> tuple[float, float]:
    """From Enter to the phase ``measure``: without the phases ``load`` and ``calibrate``; and in all."""
    bench = [sys.executable, "-m", "mlharness", "bench", "digits-cnn", "--duration", "1", "--json"]
    start = time.perf_counter()
    stamps: dict[str, float] = {}
    with subprocess.Popen(
        [*bench, *UNTOLD, "--output", str(root)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None, "asked for a pipe"
        for line in process.stderr:
            if match := _PHASES.match(line):
                stamps.setdefault(match[1], time.perf_counter() - start)
    framework = stamps["warmup"] - stamps["load"]
    calibration = stamps["samples"] - stamps["calibrate"]
    return stamps["measure"] - framework - calibration, stamps["measure"]


def rows(root: Path, repeat: int) -> list[Row]:
    """Both, ``repeat`` times; the null floor is measured once before."""
    seconds_before_loadgen(root)
    helps = [help_seconds() for _ in range(repeat)]
    waits = [seconds_before_loadgen(root) for _ in range(repeat)]
    own = [wait for wait, _ in waits]
    return [
        Row("mlh --help, s", "under 0.2", spread(helps), median(helps) < 0.2),
        Row("Enter to LoadGen, beyond load and calibration, s", "under 1", spread(own), median(own) < 1),
        Row("Enter to LoadGen in all, digits-cnn, s", "", spread([total for _, total in waits]), True),
    ]
