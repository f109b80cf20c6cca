"""Ctrl-C, SIGTERM and the parent's death: whatever the phase, nothing is left running and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.e2e.conftest import MLH
from tests.fakes import copy_fake

PHASES = ("floor", "load", "warmup", "calibrate", "samples", "measure", "score")
SLOW_STEP = "import time\ndef preprocess(ctx, data):\n    time.sleep(0.02)\n    return data\n"


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A model on the null framework whose samples are slow to load, so that every phase can be caught."""
    manifest = {
        "kind": "model",
        "name": "slow",
        "version": "1.0",
        "framework": {"name": "null"},
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 16]}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 1]}],
        "dataset": "null",
        "preprocess": [{"python": SLOW_STEP}],
        "metric": {"name": "fake.endless"},
    }
    path = tmp_path / "slow.yaml"
    path.write_text(yaml.safe_dump(manifest), "utf-8")
    return str(path)


@pytest.fixture
def fakes(environment: Mapping[str, str], tmp_path: Path) -> Mapping[str, str]:
    """The environment in which ``mlh`` finds the metric that never ends."""
    copy_fake(tmp_path / "site", "failing")
    return {**environment, "PYTHONPATH": str(tmp_path / "site")}


@contextmanager
def started(
    model: str, environment: Mapping[str, str], root: Path, phase: str, *arguments: str
) -> Iterator[subprocess.Popen[str]]:
    """``mlh bench`` in a session of its own, at the moment when it has announced the phase."""
    command = [*MLH, "bench", model, "--trust", "--mode", "both", "--output", str(root), *arguments]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            assert process.stderr is not None, "asked for a pipe"
            for line in process.stderr:
                if line.startswith(phase):
                    break
            else:
                pytest.fail(f"the phase {phase} never came")
            yield process
        finally:
            process.kill()


def runners(parent: int) -> list[psutil.Process]:
    """The runner processes of that parent."""
    return [child for child in psutil.Process(parent).children(recursive=True) if "mlharness.runner" in child.cmdline()]


@pytest.mark.parametrize("phase", PHASES)
def test_ctrl_c(model: str, fakes: Mapping[str, str], tmp_path: Path, phase: str) -> None:
    fresh = {**fakes, "MLH_CACHE_DIR": str(tmp_path / "cache")} if phase == "floor" else fakes
    seconds = "1" if phase == "score" else "30"
    with started(model, fresh, tmp_path / "runs", phase, "--duration", seconds, "--count", "40") as process:
        time.sleep(0.1)
        children = runners(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=3) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    (run,) = (tmp_path / "runs").iterdir()
    result = json.loads((run / "result.json").read_text("utf-8"))
    assert result["status"] == "interrupted"
    # What was finished before is kept: the score comes after the performance test.
    assert (result["calibration"] is not None) == (phase == "score")


def test_sigterm_is_the_same(model: str, fakes: Mapping[str, str], tmp_path: Path) -> None:
    with started(model, fakes, tmp_path / "runs", "measure", "--duration", "30", "--count", "40") as process:
        process.terminate()
        assert process.wait(timeout=3) == 130
    (run,) = (tmp_path / "runs").iterdir()
    assert json.loads((run / "result.json").read_text("utf-8"))["status"] == "interrupted"


def test_a_runner_does_not_outlive_its_parent(model: str, fakes: Mapping[str, str], tmp_path: Path) -> None:
    with started(model, fakes, tmp_path / "runs", "measure", "--duration", "30", "--count", "40") as process:
        children = runners(process.pid)
        assert children
        os.kill(process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
