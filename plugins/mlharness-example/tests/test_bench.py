"""The model that this plugin ships runs, in this process and through LoadGen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlharness.testing import InProcessRun


def test_every_sample_is_right(mlh_in_process: Callable[..., InProcessRun]) -> None:
    run = mlh_in_process("example-model")
    assert [run.row(index).tolist() for index in range(4)] == [[0.0], [1.0], [0.0], [1.0]]
    assert run.score().value == 100.0


def test_the_benchmark_is_valid(mlh_bench: Callable[..., dict[str, Any]]) -> None:
    result = mlh_bench("example-model", mode="both")
    assert result["status"] == "valid"
    assert result["framework"]["plugin"] == "mlharness-example"
    assert result["accuracy"]["passed"]
