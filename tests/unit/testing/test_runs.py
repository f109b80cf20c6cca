"""Manifests in a test: in this process with a fake LoadGen, and through the real one."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.errors import RunError, UserError
from mlharness.plan import SCENARIOS
from mlharness.providers import Array, TensorSpec
from mlharness.registrars import FrameworkRegistrar
from mlharness.testing import InProcessRun, growth
from mlharness.testing.effort import lines_run
from mlharness.testing.running import queries
from tests.unit.testing.broken import only

pytest_plugins = ["mlharness.testing.fixtures"]

InProcess = Callable[..., InProcessRun]

MODEL = """\
kind: model
name: doubler
version: "1.0"
description: Doubles.
license: Apache-2.0
framework: {name: doubling}
inputs: [{name: x, dtype: float32, shape: [batch, 2]}]
outputs: [{name: y, dtype: float32, shape: [batch, 2]}]
dataset: ./rows.yaml
postprocess: [tensor.argmax]
metric: {name: top1}
"""
DATASET = """\
kind: dataset
name: rows
version: "1.0"
description: Rows.
license: Apache-2.0
provider: table
options: {file: rows.csv, shape: [2]}
"""


class Doubling:
    inputs = (TensorSpec("x", "float32", (None, 2)),)
    outputs = (TensorSpec("y", "float32", (None, 2)),)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return [batch["x"] * np.float32(2)]

    def close(self) -> tuple[()]:
        return ()


class Failing(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        if batch["x"][0, 0] == 4:
            raise RuntimeError("four is too much")
        return super().predict(batch)


def plugins_with(predictor: Callable[[], Any]) -> Any:
    """The built-in plugins, and a framework of this test."""
    from mlharness.plugins import build_manager

    found = build_manager(allow=[f"builtin-{name}" for name in ("table", "tensor", "accuracy", "sources", "manifests")])
    extra = only(
        lambda catalog: FrameworkRegistrar(catalog, "fakes").framework(
            "doubling", load=lambda *_: predictor(), version=lambda: "1"
        )
    )
    found.catalog.absorb(extra.catalog)
    return found


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("0,1,1\n3,2,0\n4,5,1\n7,6,1\n", "utf-8")
    (tmp_path / "rows.yaml").write_text(DATASET, "utf-8")
    (tmp_path / "doubler.yaml").write_text(MODEL, "utf-8")
    return tmp_path / "doubler.yaml"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_answers_every_sample(mlh_in_process: InProcess, manifest: Path, scenario: str) -> None:
    before = threading.active_count()
    run = mlh_in_process(manifest, plugins=plugins_with(Doubling), scenario=scenario, batch_size=2)
    assert {index: run.row(index).tolist() for index in range(4)} == {0: [1.0], 1: [0.0], 2: [1.0], 3: [0.0]}
    assert run.score().value == 75.0
    assert threading.active_count() == before


def test_chosen_samples_only(mlh_in_process: InProcess, manifest: Path) -> None:
    run = mlh_in_process(manifest, plugins=plugins_with(Doubling), samples=[3, 1])
    assert sorted(run.responses) == [1, 3]
    assert run.row(3, "float32", (1,)).tolist() == [0.0]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_failing_predictor_is_told(mlh_in_process: InProcess, manifest: Path, scenario: str) -> None:
    before = threading.active_count()
    with pytest.raises(RunError, match="four is too much"):
        mlh_in_process(manifest, plugins=plugins_with(Failing), scenario=scenario)
    assert threading.active_count() == before


def test_without_a_metric_the_caller_says_what_a_row_is(mlh_in_process: InProcess) -> None:
    run = mlh_in_process("null", count=3)
    assert run.row(2, "float32", (1,)).tolist() == [0.0]
    with pytest.raises(UserError, match="without a metric"):
        run.row(2)
    with pytest.raises(UserError, match="names no metric"):
        run.score()


def test_through_the_real_loadgen(mlh_bench: Callable[..., dict[str, Any]], tmp_path: Path, mlh_home: Path) -> None:
    result = mlh_bench("null", duration_s=0.2)
    assert result["status"] == "valid"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [result["run_id"]]
    assert (mlh_home / "cache" / "null-floor").is_dir()


def test_queries_of_a_scenario() -> None:
    assert [list(query) for query in queries("MultiStream", 10)] == [list(range(8)), [8, 9]]
    assert [len(query) for query in queries("SingleStream", 3)] == [1, 1, 1]
    assert [len(query) for query in queries("Offline", 10)] == [10]


def test_a_leak_of_files_is_seen(tmp_path: Path) -> None:
    opened: list[Any] = []
    try:
        left = growth.growth_over(lambda: opened.append((tmp_path / "file").open("w")), calls=20)
    finally:
        for file in opened:
            file.close()
    assert "20 open files" in left


def test_a_leak_of_the_process_is_seen() -> None:
    before = growth.Footprint(0, 0, 3, 1)
    after = growth.Footprint(0, 1 << 30, 3, 2)
    assert after.complaint(before, 1000, growth.PER_CALL) == f"{1 << 30} bytes of the process, 1 threads"


def test_a_cache_that_fills_once_is_no_leak() -> None:
    cache: dict[int, bytearray] = {}
    turns = iter(range(100_000))

    def call() -> None:
        cache.setdefault(min(next(turns), 300), bytearray(1000))

    assert growth.growth_over(call) == ""


def test_lines_are_those_of_one_package() -> None:
    def three() -> None:
        first = 1
        second = first
        sorted([second])

    assert lines_run(three, "tests") == 3
    assert lines_run(three, "other") == 0


def test_the_suites_need_no_pytest() -> None:
    program = "import sys, mlharness.testing; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_nothing_in_the_kernel_imports_the_kit() -> None:
    import mlharness

    kernel = Path(mlharness.__file__).parent
    files = [path for path in kernel.rglob("*.py") if "testing" not in path.relative_to(kernel).parts]
    assert [path.name for path in files if "mlharness.testing" in path.read_text("utf-8")] == []
