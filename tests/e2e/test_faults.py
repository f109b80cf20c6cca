"""A run that cannot give a figure gives none, says why, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Bench, Ran
from tests.fakes import copy_fake

MANIFEST = {
    "kind": "model",
    "name": "failing",
    "version": "1.0",
    "framework": {"name": "failing"},
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 16]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 1]}],
    "dataset": "null",
}


@pytest.fixture
def fakes(environment: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """Environment variables with which ``mlh`` finds the failing plugin and the raising observer."""
    site = tmp_path / "site"
    for name in ("failing", "raising-observer"):
        copy_fake(site, name)
    return {"PYTHONPATH": str(site)}


def write(folder: Path, **changes: Any) -> str:
    """The failing model's manifest in a file."""
    path = folder / "failing.yaml"
    path.write_text(yaml.safe_dump({**MANIFEST, **changes}), "utf-8")
    return str(path)


def check_failed(ran: Ran, *words: str) -> None:
    """Exit code 3, no figure anywhere, and a reason that names the culprit."""
    assert ran.code == 3, ran.err
    result = ran.document
    assert result == ran.result
    assert result["status"] == "failed"
    assert result["metric"] is None
    assert result["latency_ns"] is None
    (reason,) = result["invalid_reasons"]
    for word in words:
        assert word in reason
    assert not list(ran.run.glob("mlperf_log_*"))


@pytest.mark.parametrize("scenario", ["SingleStream", "Server", "Offline"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", ("mlh-fake-failing", "instance", "ValueError: no more")),
        ("exit", ("exit code 0 without a word", "measure")),
        ("segfault", ("SIGSEGV", "measure")),
        ("too-few-rows", ("postprocess gives float32 [0, 1]",)),
        ("not-finite", ("not finite",)),
    ],
)
def test_a_fault_in_the_timed_path(
    bench: Bench, fakes: dict[str, str], tmp_path: Path, scenario: str, fault: str, words: tuple[str, ...]
) -> None:
    """A second and a half after loading, which is after warm-up and calibration and within LoadGen's test."""
    options = ("--option", f"fault={fault}", "--option", "after_s=1.5", "--target-qps", "3000", "--duration", "4")
    ran = bench(write(tmp_path), "--scenario", scenario, "--json", *options, env=fakes)
    check_failed(ran, *words)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", ("predict failed", "samples [0]")),
        ("not-finite", ("warm-up", "not finite")),
        ("too-few-rows", ("0 rows for a batch of 1",)),
        ("other-dtype", ("float64", "the predictor declares float32")),
        ("no-outputs", ("0 outputs",)),
    ],
)
def test_a_fault_in_warm_up(
    bench: Bench, fakes: dict[str, str], tmp_path: Path, fault: str, words: tuple[str, ...]
) -> None:
    check_failed(bench(write(tmp_path), "--json", "--option", f"fault={fault}", env=fakes), *words)


@pytest.mark.parametrize("stage", ["preprocess", "postprocess"])
def test_a_step_that_raises_is_named_with_its_sample(
    bench: Bench, fakes: dict[str, str], tmp_path: Path, stage: str
) -> None:
    path = write(tmp_path, **{stage: ["fake.raise"]})
    ran = bench(path, "--json", "--option", "after_s=1000", env=fakes)
    check_failed(ran, f"{stage} step 'fake.raise'", "sample", "ValueError: not today")
    assert "Traceback" in (ran.run / "runner.log").read_text("utf-8")


def test_an_observer_that_raises_is_a_warning(bench: Bench, fakes: dict[str, str]) -> None:
    ran = bench("null", "--duration", "1", "--json", env=fakes)
    assert ran.code == 0
    assert any("mlh-fake-raising-observer" in warning for warning in ran.document["warnings"])
    assert ran.document == ran.result
