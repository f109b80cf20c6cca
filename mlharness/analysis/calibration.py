"""The peaks of this host, against which a roofline is drawn: measured once for each number of threads, and kept."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from mlharness.analysis.traced import Peaks
from mlharness.errors import RunError, UserError
from mlharness.paths import cache_dir
from mlharness.rundir import write_json

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""From these the libraries below NumPy take their number of threads: one, since each of ours has its own problem."""
_TIMEOUT_S = 120


def host_peaks(threads: int, announce: Callable[[str], None] = lambda text: None) -> Peaks:
    """The peaks of this host with so many threads; ``announce`` is told when they have to be measured.

    Raises:
        RunError: they cannot be measured.
    """
    kept = kept_in(threads)
    try:
        return _peaks(json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError):
        announce(f"measuring the peaks of this host with {counted(threads)}, once ...")
    found = measure_peaks(threads)
    with suppress(OSError, UserError):  # where nothing can be kept, they are measured again next time
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, found)
    return _peaks(found)


def kept_in(threads: int) -> Path:
    """The file that holds them: a name for all that they depend on."""
    host = "-".join([platform.node() or "host", platform.machine(), metadata.version("numpy")])
    return cache_dir() / "peaks" / f"{host}-{threads}.json"


def measure_peaks(threads: int) -> dict[str, Any]:
    """Measure them now, in a process of its own. Raises RunError when that fails."""
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    command = [sys.executable, "-m", "mlharness.analysis.peaks", str(threads)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        raise RunError(f"the peaks of this host cannot be measured: {error.stderr.strip()[-300:]}") from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise RunError(f"the peaks of this host cannot be measured: {error}") from error
    return {**found, "threads": threads, "measured": datetime.now(timezone.utc).isoformat(timespec="seconds")}


def peaks_missing(result: Mapping[str, Any]) -> str:
    """Why the peaks of a run's host and device cannot be measured here; empty when they can."""
    device, host = result["framework"]["device"], result["system"].get("host")
    if device != "cpu":
        return f"the peaks of {device} are not measured, only those of processors"
    if host != platform.node():
        return f"the run was made on {host or 'an unknown host'}: its peaks can only be measured there"
    return ""


def counted(threads: int) -> str:
    """So many threads, in words."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def _peaks(found: Mapping[str, Any]) -> Peaks:
    flops, moved = float(found["flops_per_s"]), float(found["bytes_per_s"])
    if not (flops > 0 and moved > 0):
        raise ValueError("a peak that is none")
    how = (
        f"peaks with {counted(found['threads'])}: {flops / 1e9:.1f} GFLOP/s (products of float32 matrices), "
        f"{moved / 1e9:.1f} GB/s (a triad over arrays of {found['array_bytes'] / 2**20:.0f} MiB each), measured "
        f"{found['measured']}"
    )
    return Peaks(flops, moved, how)
