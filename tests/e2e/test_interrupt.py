"""Ctrl-C, SIGTERM and the parent's death: whatever the phase, nothing is left running and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.e2e.conftest import MLH
from tests.e2e.test_faults import relatives
from tests.fakes import copy_fake

PHASES = ("fetch", "floor", "load", "warmup", "calibrate", "samples", "measure", "score")
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
    """The environment in which ``mlh`` finds the metric that never ends, with a temporary folder of its own."""
    copy_fake(tmp_path / "site", "failing")
    (tmp_path / "tmp").mkdir()
    return {**environment, "PYTHONPATH": str(tmp_path / "site"), "TMPDIR": str(tmp_path / "tmp")}


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


def ends(process: subprocess.Popen[str], temporary: Path, seconds: float = 3) -> None:
    """It leaves with 130 in time, without a traceback, a process or a temporary file."""
    assert process.wait(timeout=seconds) == 130
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert not list(relatives(temporary))
    assert not list(temporary.iterdir())


def phase_options(phase: str, model: str, fakes: Mapping[str, str], tmp_path: Path) -> Mapping[str, str]:
    """The environment in which the phase comes; for fetching, the manifest gets a file that is not here."""
    if phase == "fetch":
        manifest = yaml.safe_load(Path(model).read_text("utf-8"))
        Path(model).write_text(yaml.safe_dump({**manifest, "model": {"files": ["endless://x"]}}), "utf-8")
    return {**fakes, "MLH_CACHE_DIR": str(tmp_path / "cache")} if phase == "floor" else fakes


def length(phase: str) -> tuple[str, ...]:
    """Long enough to be caught, but short where the phase comes after the test."""
    return ("--duration", "1" if phase == "score" else "30", "--count", "40")


@pytest.mark.parametrize("phase", PHASES)
def test_ctrl_c(model: str, fakes: Mapping[str, str], tmp_path: Path, phase: str) -> None:
    own = phase_options(phase, model, fakes, tmp_path)
    with started(model, own, tmp_path / "runs", phase, *length(phase)) as process:
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        ends(process, tmp_path / "tmp")
    runs = list((tmp_path / "runs").iterdir())
    if phase == "fetch":
        assert runs == []  # nothing was measured, or could have been
        return
    (run,) = runs
    result = json.loads((run / "result.json").read_text("utf-8"))
    assert result["status"] == "interrupted"
    assert result["metric"] is None
    assert not list(run.rglob(".*"))
    # what was known before is kept
    assert (result["calibration"] is not None) == (phase in ("samples", "measure", "score"))


@pytest.mark.parametrize(("phase", "why"), [("fetch", "interrupted"), ("measure", "interrupted by the user")])
def test_ctrl_c_leaves_a_summary(
    model: str, fakes: Mapping[str, str], tmp_path: Path, phase: str, why: str
) -> None:  # fmt: skip
    report = tmp_path / "report.json"
    own = phase_options(phase, model, fakes, tmp_path)
    with started(model, own, tmp_path / "runs", phase, *length(phase), "--summary", str(report)) as process:
        process.send_signal(signal.SIGINT)
        ends(process, tmp_path / "tmp", seconds=30)
    [case] = json.loads(report.read_text("utf-8"))["cases"]
    assert (case["outcome"], case["message"]) == ("error", why)


@pytest.mark.parametrize("pause_s", [0, 0.005, 0.05])
@pytest.mark.parametrize("phase", ["load", "measure"])
def test_a_second_ctrl_c(model: str, fakes: Mapping[str, str], tmp_path: Path, phase: str, pause_s: float) -> None:
    with started(model, fakes, tmp_path / "runs", phase, *length(phase)) as process:
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(pause_s)
        ends(process, tmp_path / "tmp")


def test_a_second_ctrl_c_does_not_wait_for_an_observer(model: str, fakes: Mapping[str, str], tmp_path: Path) -> None:
    copy_fake(tmp_path / "site", "slow-observer")
    mark = tmp_path / "mark"
    own = {**fakes, "MLH_FAKE_MARK": str(mark)}
    with started(model, own, tmp_path / "runs", "measure", *length("measure")) as process:
        process.send_signal(signal.SIGINT)
        while process.poll() is None and not mark.exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        ends(process, tmp_path / "tmp")


@pytest.mark.parametrize("phase", PHASES)
def test_sigterm_is_the_same(model: str, fakes: Mapping[str, str], tmp_path: Path, phase: str) -> None:
    own = phase_options(phase, model, fakes, tmp_path)
    with started(model, own, tmp_path / "runs", phase, *length(phase)) as process:
        process.terminate()
        ends(process, tmp_path / "tmp")
    for run in (tmp_path / "runs").iterdir():
        assert json.loads((run / "result.json").read_text("utf-8"))["status"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pause_s", [0.15, 0.25, 0.35, 0.5])
def test_before_the_run_begins(environment: Mapping[str, str], number: signal.Signals, pause_s: float) -> None:
    """While libraries are imported and plugins looked up. What comes before is the interpreter's own start."""
    process = subprocess.Popen(
        [*MLH, "bench", "null", "--duration", "30"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    wait_until_it_handles(process.pid)
    time.sleep(pause_s - 0.15)
    process.send_signal(number)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in told


def test_an_interrupt_within_code_made_from_a_string(tmp_path: Path) -> None:
    """As in the making of a dataclass: the interpreter remembers that one, and would kill itself by SIGINT."""
    (tmp_path / "interrupted.py").write_text(
        "import sys\n"
        "import mlharness.cli.main\n"
        "from mlharness.cli.start import main\n"
        "mlharness.cli.main.main = lambda: exec('raise KeyboardInterrupt')\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


def wait_until_it_handles(pid: int) -> None:
    """Wait until the process catches SIGTERM, which ``mlh`` does before it imports anything."""
    while True:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.002)


def test_while_a_large_file_is_hashed(fakes: Mapping[str, str], tmp_path: Path) -> None:
    """A file that is larger than can be hashed in time; it takes no space."""
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(1 << 36)
    manifest = {"kind": "model", "name": "large", "version": "1", "framework": {"name": "null"}, "dataset": "null",
                "model": {"files": ["large.bin"]}}  # fmt: skip
    (tmp_path / "large.yaml").write_text(yaml.safe_dump(manifest), "utf-8")
    with subprocess.Popen(
        [*MLH, "bench", str(tmp_path / "large.yaml"), "--output", str(tmp_path / "runs")],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=fakes,
    ) as process:  # fmt: skip
        try:
            while not (tmp_path / "runs").exists():  # made right before the files are looked at
                time.sleep(0.02)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            ends(process, tmp_path / "tmp")
        finally:
            process.kill()
    assert list((tmp_path / "runs").iterdir()) == []


def test_while_an_observer_takes_its_time(model: str, fakes: Mapping[str, str], tmp_path: Path) -> None:
    """Its own end is not waited for, and the interrupt is no failure of it."""
    copy_fake(tmp_path / "site", "slow-observer")
    mark = tmp_path / "mark"
    own = {**fakes, "MLH_FAKE_MARK": str(mark), "MLH_FAKE_SLOW_PHASE": "calibrate"}
    with started(model, own, tmp_path / "runs", "warmup", *length("measure")) as process:
        while process.poll() is None and not mark.exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        ends(process, tmp_path / "tmp")
    (run,) = (tmp_path / "runs").iterdir()
    result = json.loads((run / "result.json").read_text("utf-8"))
    assert (result["status"], result["warnings"]) == ("interrupted", [])


@pytest.mark.parametrize("phase", ["load", "measure"])
def test_a_runner_does_not_outlive_its_parent(model: str, fakes: Mapping[str, str], tmp_path: Path, phase: str) -> None:
    with started(model, fakes, tmp_path / "runs", phase, *length(phase)) as process:
        children = runners(process.pid)
        assert children
        os.kill(process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
        assert not list((tmp_path / "tmp").iterdir())
