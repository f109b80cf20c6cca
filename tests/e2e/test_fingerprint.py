"""Two runners of "the same" model that disagree are told, and a run that measured two models has no figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Bench
from tests.e2e.test_faults import write
from tests.fakes import copy_fake


@pytest.fixture
def fakes(tmp_path: Path) -> dict[str, str]:
    """Environment variables with which ``mlh`` finds the failing plugin."""
    copy_fake(tmp_path / "site", "failing")
    return {"PYTHONPATH": str(tmp_path / "site")}


def both(fault: str, folder: Path) -> tuple[str, ...]:
    """A short run of both modes with a model that has this fault from its first call."""
    option = ("--option", f"fault={fault}", "--mode", "both", "--duration", "0.5", "--count", "20", "--json")
    return (write(folder, metric={"name": "top1"}), *option)


def test_runners_that_agree_have_one_fingerprint(bench: Bench, fakes: dict[str, str], tmp_path: Path) -> None:
    ran = bench(*both("raise", tmp_path), "--option", "after_s=60", "--repeat", "2", env=fakes)
    assert ran.code == 0
    first, second = ran.document["results"]
    assert first["fingerprint"] == second["fingerprint"] is not None
    assert not [warning for result in (first, second) for warning in result["warnings"] if "fingerprint" in warning]


def test_another_model_in_the_accuracy_run_fails_it(bench: Bench, fakes: dict[str, str], tmp_path: Path) -> None:
    ran = bench(*both("another-model", tmp_path), env=fakes)
    assert ran.code == 3
    result = ran.result
    assert (result["status"], result["metric"]) == ("failed", None)
    assert "more than rounding explains" in result["invalid_reasons"][0]
    (warning,) = result["warnings"]
    assert warning.count("...") == 2
    assert result["fingerprint"]["sha256"][:16] in warning
    for mode in ("performance", "accuracy"):
        assert (ran.run / mode / "mlperf_log_detail.txt").exists()


def test_rounding_is_a_warning(bench: Bench, fakes: dict[str, str], tmp_path: Path) -> None:
    ran = bench(*both("rounds-otherwise", tmp_path), env=fakes)
    assert ran.code == 0
    (warning,) = ran.result["warnings"]
    assert "no more than rounding explains" in warning


def test_a_later_run_says_that_it_differs(bench: Bench, fakes: dict[str, str], tmp_path: Path) -> None:
    arguments = (write(tmp_path), "--option", "fault=another-model", "--duration", "0.2", "--repeat", "2")
    ran = bench(*arguments, env=fakes)
    assert ran.code == 0
    assert "warning: the outputs on the same samples differ from those of run 2" in ran.err
    assert [name for name in ran.run.parent.iterdir() if name.name in ran.err]


def test_a_run_that_failed_while_it_was_measured_has_what_was_known(
    bench: Bench, fakes: dict[str, str], tmp_path: Path
) -> None:
    options = ("--option", "after_s=1.5", "--duration", "3", "--target-qps", "3000", "--scenario", "Offline")
    ran = bench(write(tmp_path), *options, "--json", env=fakes)
    assert ran.code == 3
    assert ran.result["metric"] is None
    assert ran.result["fingerprint"]["samples"] == 4
    assert ran.result["calibration"]["samples_per_second"] > 0
    assert ran.result["framework"]["version"] == "1"
