"""``mlh analyze`` as people and programs see it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import click
import pytest

from mlharness.analysis import calibration
from mlharness.analysis.catalogue import ANALYSES
from mlharness.analysis.table import Column, Table
from mlharness.cli.analyze import command, complete_analyses
from mlharness.cli.exits import ExitCode
from mlharness.cli.output import Output
from mlharness.cli.tables import print_table
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import SPANS
from tests.traces import make_run
from tests.unit.analysis.golden import DELAYS
from tests.unit.cli.conftest import Mlh


@pytest.fixture
def run(tmp_path: Path) -> str:
    return str(make_run(tmp_path / "runs", delays=DELAYS))


def test_without_a_name_the_model_and_its_slowest_layers_are_shown(mlh: Mlh, run: str) -> None:
    ran = mlh("analyze", run, "--top", "2")
    assert ran.code == ExitCode.DONE
    assert "tiny 1.0" in ran.out
    assert "conv2" in ran.out
    assert "relu1" not in ran.out
    assert "the 2 of 5 rows with the largest latency_ns" in ran.out
    (roofline,) = [line for line in ran.out.splitlines() if line.startswith("A14 ")]
    assert "the run was made on testhost" in roofline, "what there is not is said, with its reason"


def test_analyses_are_named_and_printed_in_that_order(mlh: Mlh, run: str) -> None:
    ran = mlh("analyze", run, "layer-latency", "A13", "A3")
    assert ran.out.startswith("A3 Layer latency\nLAYER  NAME   TYPE               LATENCY (us)  SHARE (%)\n")
    assert ran.out.count("A3 Layer latency") == 1
    assert ran.out.index("A13 Kernel and") > ran.out.index("A3 Layer")


def test_json_is_keyed_by_number(mlh: Mlh, run: str) -> None:
    ran = mlh("analyze", run, "--json")
    assert list(ran.document) == [analysis.number for analysis in ANALYSES]
    assert ran.document["A6"]["rows"][0] == {"type": "Conv", "latency_ns": 700_000, "share": pytest.approx(7 / 9)}
    assert ran.document["A6"]["missing"] is None
    assert "testhost" in ran.document["A9"]["missing"]
    assert mlh("analyze", run, "A6", "--format", "json").document == {"A6": ran.document["A6"]}


def test_csv_has_keys_and_plain_units(mlh: Mlh, run: str) -> None:
    ran = mlh("analyze", run, "A12", "--format", "csv", "--top", "4")
    found = list(csv.DictReader(io.StringIO(ran.out)))
    assert [row["layer_name"] for row in found] == ["conv2", "conv1", "relu1", "fc"]
    assert found[0]["flops"] == "4718592"
    assert found[0]["occupancy"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "csv"], "--format csv prints one table"),
        (["A3", "A4", "--format", "csv"], "--format csv prints one table"),
        (["A3", "--json", "--format", "csv"], "two formats"),
        (["A99"], "there is no analysis 'A99'"),
        (["A3", "--sql", "SELECT 1"], "two questions"),
        (["--sql", "SELECT"], "has no answer"),
    ],
)
def test_what_cannot_be_answered_is_the_users_error(mlh: Mlh, run: str, arguments: list[str], message: str) -> None:
    ran = mlh("analyze", run, *arguments)
    assert ran.code == ExitCode.INPUT
    assert message in ran.err


def test_a_table_that_there_is_not_says_why(mlh: Mlh, tmp_path: Path) -> None:
    run = str(make_run(tmp_path / "runs", levels=LEVELS[:3]))
    assert "n/a: the level library was not traced" in mlh("analyze", run, "A8").out
    ran = mlh("analyze", run, "A8", "--format", "csv")
    assert (ran.code, ran.out) == (ExitCode.DONE, "")
    assert "n/a: the level library was not traced" in ran.err


def test_sql_is_answered_in_every_format(mlh: Mlh, run: str) -> None:
    query = "SELECT name, latency_ns FROM layers ORDER BY latency_ns DESC, name LIMIT 2"
    assert mlh("analyze", run, "--sql", query).out.splitlines()[1].split() == ["conv1", "400000"]
    assert mlh("analyze", run, "--sql", query, "--json").document[1] == {"name": "conv2", "latency_ns": 300_000}
    assert mlh("analyze", run, "--sql", query, "--format", "csv").out.splitlines()[0] == "name,latency_ns"


def test_a_run_without_a_trace_is_told_how_to_get_one(mlh: Mlh, run: str) -> None:
    (Path(run) / SPANS).unlink()
    ran = mlh("analyze", run)
    assert ran.code == ExitCode.INPUT
    assert "has no trace" in ran.err
    assert "--trace full" in ran.err


def test_a_run_is_found_by_name(mlh: Mlh, run: str, tmp_path: Path) -> None:
    assert mlh("analyze", "@last").code == ExitCode.INPUT
    shutil.copytree(Path(run), tmp_path / "mlh_data_dir" / "runs" / Path(run).name)
    for name in ("@last", "20260101", Path(run).name):
        assert mlh("analyze", name, "A3").code == ExitCode.DONE
    assert "there is no run 'nonsense'" in mlh("analyze", "nonsense").err


def test_peaks_are_measured_where_they_are_needed(mlh: Mlh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import platform

    run = make_run(tmp_path / "runs", change=lambda result: result["system"].update(host=platform.node()))
    found = {"flops_per_s": 20e9, "bytes_per_s": 2e9, "array_bytes": 1 << 25, "threads": 1, "measured": "2026-01-01"}
    monkeypatch.setattr(calibration, "measure_peaks", lambda threads: found)
    assert "measuring" not in mlh("analyze", str(run)).err, "an overview shows no roofline"
    ran = mlh("analyze", str(run), "A14")
    assert "measuring the peaks" in ran.err
    assert "20.0 GFLOP/s" in ran.out
    assert "measuring" not in mlh("analyze", str(run), "A9").err


@pytest.mark.parametrize(
    ("begun", "wanted"),
    [("A1", ["A1", "A10", "A11", "A12", "A13", "A14", "A15"]), ("kernels-", ["kernels-by-name", "kernels-by-layer",
      "kernels-by-model"]), ("KERNEL-T", ["kernel-time"]), ("B", [])],
)  # fmt: skip
def test_analyses_are_completed(begun: str, wanted: list[str]) -> None:
    context = click.Context(command)
    assert complete_analyses(context, command.params[1], begun) == wanted


def test_units_suit_the_largest_value(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [Column("latency_ns", "ns"), Column("memory_bytes", "bytes"), Column("flops", "FLOP", True),
               Column("share", "share"), Column("text"), Column("rest_ns", "ns")]  # fmt: skip
    print_table(Output(), Table(columns, [[2e9, 1 << 20, 5e6, 0.25, "a", 0], [1e6, None, 1e3, 0.75, None, 5e7]]))
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split("  ") == ["LATENCY (s)", "MEMORY (MiB)", "FLOPS (MFLOP) ~", "SHARE (%)", "TEXT",
                                   "REST (s)"]  # fmt: skip
    assert first.split() == ["2.000", "1.000", "5.000", "25.0", "a", "0.000"]
    assert second.split() == ["0.001", "n/a", "0.001", "75.0", "n/a", "0.050"]


def test_a_document_is_json_alone(mlh: Mlh, run: str) -> None:
    assert json.loads(mlh("analyze", run, "--json").out)
