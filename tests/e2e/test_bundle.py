"""A run goes into a bundle, is verified, and is made again; the rebuilt environment is in ``test_environments.py``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.conftest import MLH, Bench, Ran

FAR = "900%"
"""A machine that runs other tests beside it may be this slow."""
Mlh = Callable[..., Ran]


@pytest.fixture
def mlh(environment: Mapping[str, str], tmp_path: Path) -> Mlh:
    """``mlh(*arguments)``, in a process of its own."""

    def run(*arguments: str) -> Ran:
        done = subprocess.run(
            [*MLH, *arguments], capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path, env=environment
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr, tmp_path / "again")

    return run


def test_a_run_is_bundled_verified_and_made_again(bench: Bench, mlh: Mlh, tmp_path: Path) -> None:
    ran = bench("digits-cnn", "--mode", "both", "--duration", "0.5")
    assert ran.code == 0, ran.err
    bundle = str(tmp_path / "digits.mlhz")
    packed = mlh("bundle", str(ran.run), "-o", bundle, "--no-lock", "--json")
    assert packed.code == 0, packed.err
    files = {file["source"]: file for file in packed.document["bundle"]["files"]}
    weights = files["pkg://mlharness_vision/models/digits-cnn.onnx"]
    assert weights["sha256"] == ran.result["model"]["files"][0]["sha256"]
    assert files["pkg://sklearn/datasets/data/digits.csv.gz"]["use"] == "data"
    verified = mlh("bundle", "verify", bundle, "--json")
    assert verified.code == 0, verified.out
    assert {"accuracy.value", "metric.value", "quality.grade"} <= {
        *verified.document["recomputed"], *verified.document["stated"]
    }  # fmt: skip
    assert "accuracy.value" in verified.document["recomputed"]
    again = mlh("reproduce", bundle, "--here", "--within", FAR, "--output", str(tmp_path / "again"), "--json")
    assert again.code == 0, again.out + again.err
    assert again.document["reproduced"]
    assert again.document["environment"]["differences"] == []
    assert again.document["accuracy"]["difference"] == 0
    assert again.result["plan_sha256"] == ran.result["plan_sha256"]
    assert again.result["labels"] == {"mlh.reproduces": ran.run.name}


def test_a_traced_run_goes_in_with_or_without_its_trace(bench: Bench, mlh: Mlh, tmp_path: Path) -> None:
    ran = bench("digits-cnn", "--scenario", "Offline", "--duration", "0.3", "--trace", "model")
    assert ran.code == 0, ran.err
    for option, there in (("--trace", True), ("--no-trace", False)):
        bundle = f"x{option}.mlhz"
        packed = mlh("bundle", str(ran.run), "-o", bundle, "--no-lock", option, "--json")
        names = {member["name"] for member in packed.document["bundle"]["members"]}
        assert ("run/spans.parquet" in names) is there
        verified = mlh("bundle", "verify", bundle, "--json")
        assert verified.code == 0, verified.out
        recomputed = set(verified.document["recomputed"])
        assert {"metric.value", "samples", "latency_ns.p99"} <= recomputed
        assert ("trace.slowdown.percent" in recomputed) is there
