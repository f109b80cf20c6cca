"""``mlh report``: which page it makes of a name, where that goes, and what it refuses."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from mlharness.reporting.command import command_of
from tests.unit.cli.conftest import Mlh
from tests.unit.comparing.making import a_run
from tests.unit.comparing.making import write_run as write_compared
from tests.unit.store.making import write_run
from tests.unit.sweeping.conftest import Begin, begun, write

__all__ = ["begun", "write"]  # fixtures

NAME = "20260301T100000Z-tiny-Offline-aaaaaa"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run where mlh bench keeps them."""
    monkeypatch.delenv("MLH_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    return write_run(tmp_path / "mlh_data_dir" / "runs", NAME)


@pytest.mark.parametrize("name", ["@last", "20260301", f"mlh_data_dir/runs/{NAME}"])
def test_the_page_of_a_run_goes_into_its_directory(mlh: Mlh, directory: Path, name: str) -> None:
    ran = mlh("report", name)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.strip() == str(directory / "report.html")
    assert "VALID (quick)" in (directory / "report.html").read_text("utf-8")


def test_or_where_one_wants_it(mlh: Mlh, directory: Path, tmp_path: Path) -> None:
    ran = mlh("report", "@last", "-o", "mine.html", "--json")
    path = tmp_path / "mine.html"
    assert ran.document == {"kind": "run", "report": str(path), "bytes": path.stat().st_size}
    assert not (directory / "report.html").exists()
    ran = mlh("report", "@last", "-o", "nowhere/mine.html")
    assert ran.code == 2
    assert "cannot write" in ran.err


def test_a_run_that_never_ended_has_a_page_by_its_path(mlh: Mlh, directory: Path) -> None:
    (directory / "result.json").unlink()
    assert mlh("report", str(directory)).code == 0
    assert "INCOMPLETE" in (directory / "report.html").read_text("utf-8")


def test_a_sweep_by_its_path_and_by_its_name(mlh: Mlh, begun: Begin, tmp_path: Path) -> None:
    sweep = begun().path
    assert mlh("report", str(sweep)).out.strip() == str(sweep / "report.html")
    (tmp_path / "mlh_data_dir").mkdir()
    kept = sweep.parent.rename(tmp_path / "mlh_data_dir" / "sweeps") / sweep.name
    assert mlh("report", sweep.name, "--json").document["kind"] == "sweep"
    (kept / "sweep.json").write_text("{", "utf-8")
    ran = mlh("report", sweep.name)
    assert ran.code == 2
    assert "sweep.json cannot be read" in ran.err


def test_several_names_are_compared(mlh: Mlh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, other = (str(write_compared(tmp_path, a_run(number))) for number in (1, 2))
    ran = mlh("report", one, other)
    assert (ran.code, ran.out.strip()) == (0, str(tmp_path / "comparison.html"))
    assert "NOT ENOUGH DATA" in (tmp_path / "comparison.html").read_text("utf-8")


def test_an_unfair_pair_has_a_page_that_does_not_rank_it(mlh: Mlh, tmp_path: Path) -> None:
    runs = [a_run(1), a_run(2, changes={"rules": "mlperf"})]
    names = [str(write_compared(tmp_path, run)) for run in runs]
    page = tmp_path / "page.html"
    ran = mlh("report", *names, "-o", str(page))
    assert ran.code == 0
    assert "is not ranked against" in ran.err
    assert "NOT RANKED" in page.read_text("utf-8")
    assert mlh("report", *names, "-o", str(page), "--anyway").err == ""
    assert "ranked all the same" in page.read_text("utf-8")


def test_what_is_neither_is_an_error(mlh: Mlh, directory: Path) -> None:
    assert "there is no run 'nosuch'" in mlh("report", "nosuch").err
    assert "does not exist" in mlh("report", "no/such").err
    assert "--anyway is for a comparison" in mlh("report", "@last", "--anyway").err
    assert mlh("report", "x\0y").code == 2
    (directory / "result.json").write_text("{", "utf-8")
    ran = mlh("report", str(directory))
    assert ran.code == 2
    assert "is damaged" in ran.err


def test_it_is_opened_when_that_is_wanted(mlh: Mlh, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def launch(url: str) -> int:
        opened.append(url)
        return len(opened) - 1

    monkeypatch.setattr(click, "launch", launch)
    assert mlh("report", "@last", "--open").err == ""
    assert opened == [(directory / "report.html").as_uri()]
    assert "No browser could be started" in mlh("report", "@last", "--open").err


@pytest.mark.parametrize("arguments", [
    ("null",),
    ("null", "--scenario", "Server", "--target-qps", "10.5", "--target-latency", "2.25", "--max-wait", "1.5",
     "--seed", "9"),
    ("null", "--mode", "performance", "--duration", "0.25", "--min-queries", "77", "--warmup", "5", "--instances", "2",
     "--threads", "2", "--batch-size", "3", "--count", "5", "--scenario", "MultiStream"),
    ("digits-cnn", "--option", "graph_optimization_level=basic", "--option", "allow_spinning=false", "--threads", "1"),
    ("efficientnet-lite0", "--mode", "both", "--dataset", "photos", "--framework", "onnxruntime>=1.10"),
])  # fmt: skip
def test_the_command_on_a_page_gives_the_same_plan(mlh: Mlh, arguments: tuple[str, ...]) -> None:
    plan = mlh("bench", *arguments, "--dry-run", "--json").document
    program, command, *words = shlex.split(command_of(plan))
    assert (program, command) == ("mlh", "bench")
    assert mlh("bench", *words, "--dry-run", "--json").document["plan_sha256"] == plan["plan_sha256"]
