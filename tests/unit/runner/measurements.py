"""Tests that never ran: what a measurement looks like to the parent, with any log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlharness.loadgen_log import PERCENTILES, LoadGenLog
from mlharness.measuring import Measured

LATENCIES = {
    **{f"result_{name}_latency_ns": 2000 for name in ("mean", "min", "max")},
    **{f"result_{number}_percentile_latency_ns": 2000 for number in PERCENTILES.values()},
}
GOOD: dict[str, Any] = {
    "result_validity": "VALID",
    "result_min_duration_met": True,
    "result_min_queries_met": True,
    "result_perf_constraints_met": True,
    "result_query_count": 100,
    "early_stopping_met": True,
    "early_stopping_latency_ss": 2500,
    "result_completed_samples_per_sec": 99.0,
    "result_samples_per_second": 101.5,
    "num_errors": 0,
    **LATENCIES,
}


def a_measured(
    directory: Path,
    errors: tuple[str, ...] = (),
    rate: float = 1.0,
    throughput: float = 500.0,
    alone_ns: int = 2000,
    **values: Any,
) -> Measured:
    """A VALID test of any scenario but MultiStream; ``values`` change LoadGen's log."""
    prepared = {
        "event": "prepared",
        "calibration": {"query_latency_ns": alone_ns, "samples_per_second": throughput},
        "settings": {
            "server_target_qps": rate,
            "server_target_latency_ns": 15_000_000,
            "server_target_latency_percentile": 0.99,
        },
        "framework_version": "1.2",
        "dataset_count": 8,
        "switch_interval_s": 0.0005,
        "complexity": {"parameters": 25_557_032, "multiply_adds": 4_089_184_256},
        "fingerprint": {"samples": 4, "sha256": "0123456789abcdef" * 4, "sketch": [[0.5, 1.0, -0.5]] * 4},
    }
    cost = {"predict_s": 0.5, "postprocess_s": 0.25, "harness_s": 0.1, "after_s": 0.04, "batches": 50, "samples": 200}
    measured = {"event": "measured", "loaded": 8, "duration_s": 1.5, "cost": cost}
    log = LoadGenLog({**GOOD, "num_errors": len(errors), **values}, errors)
    return Measured(directory, log, prepared, measured)
