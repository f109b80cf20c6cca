"""The words for figures, which the terminal and pages share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIGURES = {
    "early_stopping_latency_ss": "90th percentile latency (early stopping)",
    "early_stopping_latency_ms": "99th percentile latency (early stopping)",
    "result_90.00_percentile_latency_ns": "90th percentile latency (plain)",
    "result_99.00_percentile_per_query_latency_ns": "99th percentile latency (plain)",
    "result_completed_samples_per_sec": "completed samples a second",
    "result_samples_per_second": "samples a second",
}
"""What LoadGen's keys mean."""


def measured(value: float, unit: str) -> str:
    """A figure of LoadGen's: a latency (``ns``) or a rate."""
    return milliseconds(value) if unit == "ns" else f"{value:,.2f} {unit}"


def milliseconds(nanoseconds: float) -> str:
    """A latency in the unit in which it is easily read."""
    if nanoseconds < 1e6:
        return f"{nanoseconds / 1e3:.1f} us"
    return f"{nanoseconds / 1e6:.3f} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:.3f} s"


def verdict(result: Mapping[str, Any]) -> str:
    """``VALID (quick)`` for a quick run, VALID for one by MLPerf's rules."""
    return str(result["status"]).upper() + (" (quick)" if result["rules"] == "quick" else "")


def score(found: Mapping[str, Any]) -> str:
    """A score with its unit."""
    # A plain number is mostly a share, as DICE, of which MLPerf's scripts print five digits.
    return f"{found['value']:.{digits(found)}f} {found['unit']}".rstrip()


def digits(found: Mapping[str, Any]) -> int:
    """How many of a score's digits are shown behind the point."""
    return 2 if found["unit"] else 5
