"""The advice of an INVALID run as people see it."""

from __future__ import annotations

from typing import Any

from mlharness.cli.summary import rows

RESULT: dict[str, Any] = {
    "invalid_reasons": ["limit", "early"], "metric": None, "latency_ns": None, "accuracy": None, "quality": None,
    "trace": None,
    "harness": {"us_per_query": None}, "system": {"cpu": "cpu"}, "scenario": "Server",
    "framework": {"name": "null", "version": "1", "instances": 1, "threads": 1, "batch_size": 1},
    "dataset": {"name": "null", "count": 8},
}  # fmt: skip


def shown(*texts: str) -> dict[str, str]:
    return dict(rows({**RESULT, "advice": [{"text": text} for text in texts]}))


def test_each_change_is_named_once_below_the_reasons() -> None:
    found = shown("--target-qps 4", "--target-qps 4", "--min-queries 9")
    assert list(found)[:2] == ["why", "try"]
    assert found["try"] == "--target-qps 4\n--min-queries 9"


def test_no_advice_no_row() -> None:
    assert "try" not in shown()
