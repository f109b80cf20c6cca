"""Reads LoadGen's ``mlperf_log_detail.txt``: the figures of a result are LoadGen's own, under LoadGen's own keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness.errors import RunError

DETAIL_LOG = "mlperf_log_detail.txt"
_PREFIX = ":::MLLOG "

PERCENTILES = {"p50": "50.00", "p90": "90.00", "p95": "95.00", "p97": "97.00", "p99": "99.00", "p99.9": "99.90"}


@dataclass(frozen=True)
class Figure:
    """LoadGen's figure for a scenario; ``plain`` marks a percentile that stands in for early stopping's estimate."""

    name: str
    value: float
    unit: str
    plain: bool = False


@dataclass(frozen=True)
class LoadGenLog:
    """One test's log: the last value of each key, and every error that LoadGen noted."""

    values: Mapping[str, Any]
    errors: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """LoadGen's verdict on a performance run."""
        return self.values.get("result_validity") == "VALID"

    @property
    def error_count(self) -> int:
        """LoadGen's own count of errors; it must be 0 in any mode."""
        return int(self.values.get("num_errors", len(self.errors)))

    def invalid_reasons(self) -> list[str]:
        """Which of LoadGen's rules the run did not meet, with LoadGen's recommendation."""
        rules = {
            "result_min_duration_met": "minimum duration not met",
            "result_min_queries_met": "minimum number of queries not met",
            "result_perf_constraints_met": "latency limit not met",
            "early_stopping_met": "early stopping not satisfied",
        }
        reasons = [text for key, text in rules.items() if self.values.get(key) is False]
        for key in ("result_invalid_reason", "early_stopping_result"):
            advice = " ".join(str(self.values.get(key, "")).replace(" * ", " ").split())
            if reasons and advice and advice != "Run successful.":
                reasons.append(f"LoadGen says: {advice}")
        return reasons or (["LoadGen calls the run INVALID"] if not self.valid else [])

    def figure(self, scenario: str) -> Figure:
        """The figure that MLPerf reports for the scenario. Raises RunError when the log has none."""
        if scenario == "Server":
            return Figure(
                "result_completed_samples_per_sec", self.need("result_completed_samples_per_sec"), "samples/s"
            )
        if scenario == "Offline":
            return Figure("result_samples_per_second", self.need("result_samples_per_second"), "samples/s")
        single = scenario == "SingleStream"
        name = "early_stopping_latency_ss" if single else "early_stopping_latency_ms"
        if self.values.get("early_stopping_met") and self.values.get(name):
            return Figure(name, float(self.values[name]), "ns")
        plain = "result_90.00_percentile_latency_ns" if single else "result_99.00_percentile_per_query_latency_ns"
        return Figure(plain, self.need(plain), "ns", plain=True)

    def latencies(self, scenario: str) -> dict[str, float]:
        """LoadGen's latency statistics in nanoseconds: of queries in MultiStream, of samples elsewhere."""
        kind = "query_latency_ns" if scenario == "MultiStream" else "latency_ns"
        percentile = "per_query_latency_ns" if scenario == "MultiStream" else "latency_ns"
        found = {name: self.need(f"result_{name}_{kind}") for name in ("mean", "min", "max")}
        return found | {
            name: self.need(f"result_{number}_percentile_{percentile}") for name, number in PERCENTILES.items()
        }

    def need(self, key: str) -> float:
        """A number that the log must hold. Raises RunError when it does not."""
        if key not in self.values:
            raise RunError(f"LoadGen's log has no {key}", "The test did not end properly; see runner.log.")
        return float(self.values[key])


def read_log(directory: Path) -> LoadGenLog:
    """Read a test's detail log. Raises RunError when it is missing or cut off."""
    path = directory / DETAIL_LOG
    values: dict[str, Any] = {}
    errors = []
    try:
        for line in path.read_text().splitlines():
            if line.startswith(_PREFIX):
                entry = json.loads(line[len(_PREFIX) :])
                values[entry["key"]] = entry["value"]
                if entry["metadata"]["is_error"]:
                    errors.append(str(entry["value"]))
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path.name} cannot be read: {error}") from error
    return LoadGenLog(values, tuple(errors))
