"""The list of sweeps, and their pages."""

from __future__ import annotations

from pathlib import Path

from mlharness.store.index import index
from mlharness.store.opening import open_store
from mlharness.sweeping.cells import Cell
from mlharness.sweeping.directory import begin
from mlharness.sweeping.document import Sweep
from tests.unit.serving.conftest import RUN, Asked, headline, words
from tests.unit.store.making import write_run


def a_sweep(root: Path, name: str = "batches") -> Path:
    """A sweep of two cells, twice each, that has begun."""
    cells = tuple(Cell("null", None, "cpu", batch, None, "Offline") for batch in (1, 4))
    return begin(root, Sweep(name, "", "batches.yaml", cells, 2)).path


def test_sweeps_are_listed_and_opened(ask: Asked, root: Path) -> None:
    assert "No sweeps yet: mlh sweep FILE makes one." in words(ask.text("/sweeps"))
    path = a_sweep(root.parent / "sweeps")
    shown = words(ask.text("/sweeps"))
    assert "1 sweep" in shown
    assert f"batches {path.name[-6:]} 2 4 4 runs are left" in shown
    assert "batches" in ask.text(f"/sweeps/{path.name}")


def test_a_sweep_is_found_by_its_runs_wherever_it_is(ask: Asked, root: Path, tmp_path: Path) -> None:
    path = a_sweep(tmp_path / "elsewhere")
    write_run(path / "runs", RUN)
    assert "No sweeps yet" in words(ask.text("/sweeps"))
    index(open_store(), [path / "runs" / RUN])
    assert path.name[-6:] in words(ask.text("/sweeps"))


def test_a_damaged_sweep_is_told_and_the_others_are_shown(ask: Asked, root: Path) -> None:
    sweeps = root.parent / "sweeps"
    good, bad = a_sweep(sweeps), a_sweep(sweeps)
    (bad / "sweep.json").write_text("{", "utf-8")
    shown = words(ask.text("/sweeps"))
    assert "cannot be read" in shown
    assert good.name[-6:] in shown
    assert ask(f"/sweeps/{bad.name}").status_code == 500


def test_an_unknown_sweep_is_told(ask: Asked) -> None:
    assert "There is no sweep 'nosuch'." in headline(ask("/sweeps/nosuch"))
