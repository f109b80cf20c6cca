"""A LoadGen test with a system that does nothing, in a process of its own: real logs in a fraction of a second."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """
import json, sys
import mlperf_loadgen as lg

directory, scenario, mode, changes = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
settings = lg.TestSettings()
settings.scenario, settings.mode = getattr(lg.TestScenario, scenario), getattr(lg.TestMode, mode)
for name, value in changes.items():
    setattr(settings, name, value)
log = lg.LogSettings()
log.log_output.outdir, log.log_output.copy_summary_to_stdout, log.enable_trace = directory, False, False

def issue(ids, indices):
    lg.QuerySamplesComplete([lg.QuerySampleResponse(id, 0, 0) for id in ids])

sut = lg.ConstructFastSUT(issue, lambda: None)
qsl = lg.ConstructQSL(8, 8, lambda samples: None, lambda samples: None)
lg.StartTestWithLogSettings(sut, qsl, settings, log, directory + "/none")
lg.DestroyQSL(qsl)
lg.DestroySUT(sut)
"""
FEW = {
    "min_duration_ms": 0,
    "min_query_count": 700,
    "max_query_count": 0,
    "single_stream_expected_latency_ns": 100_000,
    "multi_stream_expected_latency_ns": 100_000,
    "server_target_qps": 20_000.0,
    "server_target_latency_ns": 10_000_000_000,
    "offline_expected_qps": 1000.0,
}
"""Settings with which any scenario ends at once, and is VALID on the slowest machine."""


def run_tiny(directory: Path, scenario: str, mode: str = "PerformanceOnly", **changes: Any) -> Path:
    """Run the test and return the folder of its logs."""
    directory.mkdir(parents=True)
    settings = json.dumps({**FEW, **changes})
    command = [sys.executable, "-c", _PROGRAM, str(directory), scenario, mode, settings]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return directory
