"""``mlh sweep``: what it answers before anything runs, what its table shows, and its exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlharness.cli.exits import ExitCode
from mlharness.cli.output import Output
from mlharness.cli.sweep import duration, exit_code_of
from mlharness.cli.sweep_table import show_table
from mlharness.sweeping.directory import SweepDirectory, begin
from mlharness.sweeping.document import read_sweep
from mlharness.sweeping.running import Bench, Hearing, run_all
from mlharness.sweeping.table import table_of
from tests.unit.cli.conftest import Mlh
from tests.unit.sweeping.conftest import keep, made_up, pretend


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sweep of two models, twice each."""
    return write(tmp_path, models=["null", "missing"], repetitions=2)


def write(folder: Path, **keys: Any) -> Path:
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump({"kind": "sweep", "name": "s", **keys}), "utf-8")
    return path


@pytest.fixture
def pretending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are made up."""
    monkeypatch.setattr(Bench, "__call__", lambda self, directory, unit, earlier: pretend(directory, unit, earlier))


def begun(tmp_path: Path, **keys: Any) -> SweepDirectory:
    return begin(tmp_path / "sweeps", read_sweep(write(tmp_path, **keys)))


def test_a_dry_run_names_what_cannot_run_and_makes_nothing(mlh: Mlh, file: Path, tmp_path: Path) -> None:
    ran = mlh("sweep", str(file), "--dry-run", "--output", str(tmp_path / "out"))
    assert ran.code == 0
    assert "no model is named 'missing'" in ran.out
    assert "2 runs, about 50 s (no earlier run tells" in ran.out
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("pretending")
def test_a_sweep_tells_its_progress_and_keeps_its_table(mlh: Mlh, file: Path, tmp_path: Path) -> None:
    ran = mlh("sweep", str(file), "--output", str(tmp_path / "out"))
    assert ran.code == 3
    assert "run 1 of 4: null on its framework, cpu, SingleStream, repetition 1; about" in ran.err
    assert "not run: no model is named 'missing'" in ran.err
    [directory] = (tmp_path / "out").iterdir()
    assert f"table: {directory / 'table.json'}" in ran.out
    assert "valid" in ran.out
    document = mlh("sweep", "--resume", str(directory), "--json").document
    assert document["complete"]
    assert [row["counts"] for row in document["rows"]] == [{"valid": 2}, {"not run": 1}]


@pytest.mark.usefixtures("pretending")
def test_a_finished_sweep_is_not_begun_again_by_resume(mlh: Mlh, file: Path, tmp_path: Path) -> None:
    out = ("--output", str(tmp_path / "out"))
    assert "no unfinished sweep 's'" in mlh("sweep", str(file), "--resume", *out).err
    mlh("sweep", str(file), *out)
    assert "no unfinished sweep 's'" in mlh("sweep", str(file), "--resume", *out).err


def test_what_is_to_be_resumed_must_be_what_the_file_asks_for(mlh: Mlh, tmp_path: Path) -> None:
    directory = begun(tmp_path, models=["null"])
    changed = write(tmp_path, models=["null"], batch_sizes=[2])
    ran = mlh("sweep", str(changed), "--resume", str(directory.path))
    assert ran.code == 2
    assert "asks for another sweep than the one in" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "which sweep?"),
        (("--resume",), "which sweep?"),
        (("--resume", "nowhere"), "nowhere is no sweep"),
        (("resnet-famly",), "Did you mean 'resnet-family'?"),
        (("nowhere.yaml",), "there is no file nowhere.yaml"),
    ],
)
def test_what_is_no_sweep_is_told(mlh: Mlh, arguments: tuple[str, ...], told: str) -> None:
    ran = mlh("sweep", *arguments)
    assert ran.code == 2
    assert told in ran.err


@pytest.mark.parametrize(
    ("models", "code"),
    [
        (["a"], ExitCode.DONE),
        (["a", "missing"], ExitCode.FAILED),
        (["a", "broken"], ExitCode.FAILED),
        (["missing"], ExitCode.INPUT),
        (["a", "bug", "missing"], ExitCode.BUG),
    ],
)
def test_the_exit_code_is_of_the_worst_cell(tmp_path: Path, models: list[str], code: ExitCode) -> None:
    directory = begun(tmp_path, models=models)
    run_all(directory, pretend, Hearing())
    assert exit_code_of(table_of(directory)) is code


def test_a_cell_whose_result_is_gone_is_told(mlh: Mlh, tmp_path: Path) -> None:
    directory = begun(tmp_path, models=["a"])
    run_all(directory, pretend, Hearing())
    [run] = directory.runs.iterdir()
    (run / "result.json").write_text("{", "utf-8")
    ran = mlh("sweep", "--resume", str(directory.path), "--json")
    assert ran.code == 3
    ran = mlh("sweep", "--resume", str(directory.path))
    assert f"the result of {run.name} is gone, or cannot be read" in ran.out


def test_an_accuracy_below_its_target_has_a_code_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = table_with(tmp_path, accuracy={"metric": "top1", "unit": "%", "value": 60.0, "target": 70, "passed": False})
    assert exit_code_of(table) is ExitCode.ACCURACY
    show_table(Output(), table)
    assert "top1 60 % (target 70 NOT met)" in capsys.readouterr().out


def test_another_network_is_marked_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = table_with(tmp_path)
    table["rows"][0]["differs"] = "parameters +10.0 % of x's"
    show_table(Output(), table)
    assert "DIFFERS: parameters +10.0 % of x's" in capsys.readouterr().out


def table_with(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    """The table of one run with these things in its result."""
    directory = begun(tmp_path, models=["a"])
    directory.runs.mkdir(exist_ok=True)

    def run(place: SweepDirectory, unit: Any, earlier: Any) -> Any:
        return keep(place, made_up(place, unit, **changed))

    run_all(directory, run, Hearing())
    return table_of(directory)


def test_times_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (12, 89, 120, 5399, 7200)] == ["12 s", "89 s", "2 min", "90 min", "2.0 h"]
