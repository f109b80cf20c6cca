"""``mlh sweep`` with real runs: killed, interrupted, on a full disk, and over cells that cannot run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import MLH, Ran

KILLS, ALL_KILLS = 3, 20
"""How often a sweep is killed; the latter with ``--full``."""
Sweep = Callable[..., Ran]


@pytest.fixture
def sweep(environment: Mapping[str, str], tmp_path: Path) -> Sweep:
    """``sweep(*arguments)``: ``mlh sweep`` with sweep directories under the test's folder."""

    def run(*arguments: str, root: Path | None = None) -> Ran:
        root = root or tmp_path / "sweeps"
        command = [*MLH, "sweep", "--output", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=environment)
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr, root)

    return run


def write(folder: Path, **keys: Any) -> str:
    # an expected rate that no host reaches: a test of Offline is then long enough, however it is disturbed
    document = {
        "kind": "sweep", "name": "tiny", "models": ["null"], "scenarios": ["SingleStream", "Offline"],
        "settings": {"duration": 0.1, "min_queries": 1, "target_qps": 10_000_000}, **keys,
    }  # fmt: skip
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return str(path)


def asked(table: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What must be the same in every table of one sweep: its rows, how they ended, and of how many runs."""
    keys = ("cell", "model", "framework", "batch_size", "scenario", "status", "counts", "message", "differs")
    return [(*(row[key] for key in keys), (row["throughput"] or {}).get("n")) for row in table["rows"]]


def journal(directory: Path) -> list[tuple[str, int]]:
    lines = [json.loads(line) for line in (directory / "journal.jsonl").read_text("utf-8").splitlines()]
    return [(line["cell"], line["repetition"]) for line in lines]


def test_a_table_of_all_cells_with_those_that_cannot_run(sweep: Sweep, tmp_path: Path) -> None:
    file = write(tmp_path, models=["null", "nul"], batch_sizes=[1, 4], exclude=[{"model": "nul", "batch_size": 4}])
    ran = sweep(file, "--json")
    assert ran.code == 3
    table = ran.document
    assert [row["status"] for row in table["rows"]] == ["valid"] * 4 + ["not run"] * 2
    assert table["rows"][-1]["message"] == "no model is named 'nul'"
    assert "Did you mean 'null'" in table["rows"][-1]["remedy"]
    assert len(list((Path(table["directory"]) / "runs").iterdir())) == 4
    assert json.loads((Path(table["directory"]) / "table.json").read_text("utf-8"))["rows"] == table["rows"]
    assert {Path(plot).name.partition(".")[0] for plot in table["plots"]} == {"throughput", "latency", "scaling"}
    people = sweep("--resume", table["directory"])
    assert "not run: no model is named 'nul'" in people.out
    assert people.out.count("valid") == 4


def test_a_dry_run_runs_nothing(sweep: Sweep, tmp_path: Path) -> None:
    ran = sweep(write(tmp_path, models=["null", "nul"], repetitions=3), "--dry-run", "--json")
    assert ran.code == 0
    assert ran.document["runs"] == 12
    assert [cell["obstacle"] for cell in ran.document["cells"]] == ["", "", *["no model is named 'nul'"] * 2]
    assert not ran.root.exists()


def test_a_sweep_of_nothing_that_can_run_is_the_users_mistake(sweep: Sweep, tmp_path: Path) -> None:
    ran = sweep(write(tmp_path, models=["nul"]))
    assert ran.code == 2
    assert "no model is named 'nul'" in ran.out


def test_ctrl_c_says_how_to_go_on(environment: Mapping[str, str], sweep: Sweep, tmp_path: Path) -> None:
    file = write(tmp_path, settings={"duration": 2}, repetitions=2)
    command = [*MLH, "sweep", file, "--output", str(tmp_path / "sweeps")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None, "asked for a pipe"
        for line in process.stderr:
            if line.startswith("run 2 of 4"):
                break
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    [directory] = (tmp_path / "sweeps").iterdir()
    assert f"mlh sweep --resume {directory}" in told
    assert len(journal(directory)) == 1
    resumed = sweep("--resume", str(directory), "--json")
    assert resumed.code == 0
    assert [row["counts"] for row in resumed.document["rows"]] == [{"valid": 2}] * 2


def test_a_full_disk_leaves_a_sweep_that_goes_on(sweep: Sweep, tmp_path: Path, small_disk: Path | None) -> None:
    if small_disk is None:
        return
    file, filler = write(tmp_path, repetitions=2), small_disk / "filler"
    filler.write_bytes(os.urandom(shutil.disk_usage(small_disk).free - (1 << 20) - (1 << 15)))
    ran = sweep(file, root=small_disk / "sweeps")
    assert ran.code == 2
    assert "is full" in ran.err
    [directory] = (small_disk / "sweeps").iterdir()
    assert f"mlh sweep --resume {directory}" in ran.err
    assert 0 < len(journal(directory)) < 4
    filler.unlink()
    resumed = sweep(file, "--resume", "--json", root=small_disk / "sweeps")
    assert resumed.code == 0, resumed.err
    assert [row["counts"] for row in resumed.document["rows"]] == [{"valid": 2}] * 2


@pytest.mark.counted
def test_killed_at_random_points_it_resumes_to_the_same_table(
    environment: Mapping[str, str], sweep: Sweep, tmp_path: Path, full: bool
) -> None:
    kills = ALL_KILLS if full else KILLS
    # a run takes more than a second, so that there are enough of them left to be killed in
    file = write(
        tmp_path, models=["null", "nul"], batch_sizes=[1, 2], repetitions=6 if full else 2, order={"random": 3}
    )
    whole = sweep(file, "--json", root=tmp_path / "whole").document
    root, seed = tmp_path / "killed", random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # pytest shows it when the test fails
    chance, arguments = random.Random(seed), [file]  # noqa: S311  # a test's dice
    for _ in range(kills):
        assert kill_after(chance.uniform(0, 2), [*MLH, "sweep", "--output", str(root), *arguments], environment)
        [*begun] = root.glob("*-sweep-*/sweep.json")
        arguments = ["--resume", str(begun[0].parent)] if begun else [file]
    resumed = sweep(*arguments, "--json", root=root).document
    assert resumed["complete"]
    assert asked(resumed) == asked(whole)
    assert journal(Path(resumed["directory"])) == journal(Path(whole["directory"])), "in the same order"
    runs = [run for row in resumed["rows"] for run in row["runs"]]
    assert sorted(runs) == sorted(path.name for path in (Path(resumed["directory"]) / "runs").iterdir())


def kill_after(seconds: float, command: list[str], environment: Mapping[str, str]) -> bool:
    """Start a command and kill it after this time; false when it had ended. A runner that it leaves ends by itself."""
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **quiet) as process:
        time.sleep(seconds)
        process.kill()
    return process.returncode == -signal.SIGKILL
