"""``mlh compare``: the tables, the one document, and every exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlharness.resources import resource_folder
from tests.unit.cli.conftest import Mlh
from tests.unit.comparing.making import SCORE, a_group, in_pairs, noisy, write_run
from tests.unit.runner.making import a_metric, a_plan


def write(tmp_path: Path, *groups: Any) -> None:
    """Where ``mlh`` looks for the user's runs."""
    for group in groups:
        for run in group.runs:
            write_run(tmp_path / "mlh_data_dir" / "runs", run)


@pytest.fixture
def slower(tmp_path: Path) -> Path:
    """Seven pairs of which B is 10 % slower."""
    write(tmp_path, *in_pairs(noisy(7, 0.01, 1), noisy(7, 0.01, 2, 1.1)))
    return tmp_path


A, B = "label:mlh.series=abc123-A", "label:mlh.series=abc123-B"


def test_the_verdict_comes_with_its_interval(mlh: Mlh, slower: Path) -> None:
    ran = mlh("compare", A, B)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    (headline,) = (line for line in lines if line.startswith("B against A, 7 pairs"))
    assert headline.startswith("B against A, 7 pairs: SLOWER, 90th percentile latency (early stopping) +")
    assert "(95 % interval +" in headline
    assert f"A: {A}" in ran.out
    assert sum(line.rstrip().endswith("slower") for line in lines) == 4
    assert "DIFFERS" not in ran.out


def test_two_runs_are_not_enough(mlh: Mlh, tmp_path: Path) -> None:
    write(tmp_path, a_group("a", [1.0, 1.1]))
    ran = mlh("compare", "@-2", "@last")
    assert ran.code == 0, ran.err
    assert "NOT ENOUGH DATA" in ran.out
    assert "5 a side are needed" in ran.out


def test_one_document_that_follows_the_schema(mlh: Mlh, slower: Path) -> None:
    ran = mlh("compare", A, B, "--json", "--fail-if", "slower:50%")
    assert ran.code == 0, ran.err
    schema = json.loads((resource_folder("schemas") / "comparison.v1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(ran.document)
    assert ran.document["comparisons"][0]["verdict"] == "slower"
    assert ran.document["checks"] == [
        {"condition": "slower:50%", "a": A, "b": B, "failed": False, "too_fine": False}
    ]  # fmt: skip


@pytest.mark.parametrize(("condition", "code"), [("slower:5%", 3), ("slower:20%", 0), ("faster:1%", 0)])
@pytest.mark.parametrize("form", [(), ("--json",), ("--format", "markdown")])
def test_fail_if(mlh: Mlh, slower: Path, condition: str, code: int, form: tuple[str, ...]) -> None:
    ran = mlh("compare", A, B, "--fail-if", condition, *form)
    assert ran.code == code, ran.err
    assert (f"failed: --fail-if {condition} holds for {B}" in ran.err) is (code == 3)


def test_a_check_that_so_few_runs_cannot_make_is_told(mlh: Mlh, tmp_path: Path) -> None:
    write(tmp_path, *in_pairs(noisy(5, 0.1, 1), noisy(5, 0.1, 2)))
    ran = mlh("compare", A, B, "--fail-if", "slower:1%")
    assert ran.code == 0
    assert "warning: --fail-if slower:1%: so few runs overlook such a change often" in ran.err


def test_a_check_without_an_answer_is_no_pass(mlh: Mlh, tmp_path: Path) -> None:
    write(tmp_path, a_group("a", [1.0, 1.1]))
    ran = mlh("compare", "@-2", "@last", "--fail-if", "slower:3%", "--json")
    assert ran.code == 2
    assert "1 and 1 runs, and 5 a side are needed" in ran.document["error"]["message"]
    assert ran.document["comparison"]["comparisons"][0]["verdict"] == "not enough data"


class TestUnfair:
    """A pair that is not ranked."""

    @pytest.fixture
    def unfair(self, tmp_path: Path) -> tuple[str, ...]:
        write(tmp_path, a_group("a", noisy(5, 0.01, 1)))
        write(tmp_path, a_group("b", noisy(5, 0.01, 2, 2.0), first=20, changes={"dataset.name": "ones"}))
        return ("compare", "20260101T000*", "20260101T002*")

    def test_it_is_refused_and_shown_why(self, mlh: Mlh, unfair: tuple[str, ...]) -> None:
        ran = mlh(*unfair)
        assert ran.code == 2
        assert "B against A, independent runs: NOT RANKED" in ran.out
        assert any(line.split() == ["data", "data", "set", "zeros", "ones", "UNFAIR"] for line in ran.out.splitlines())
        assert "METRIC" not in ran.out
        assert "are not ranked, since that would be unfair: data: other data (data set)" in ran.err
        assert "--anyway" in ran.err

    def test_the_document_goes_with_the_error(self, mlh: Mlh, unfair: tuple[str, ...]) -> None:
        ran = mlh(*unfair, "--json")
        assert ran.code == 2
        assert ran.document["comparison"]["comparisons"][0]["ranked"] is False
        assert ran.document["error"]["remedy"] == "Add --anyway to rank them."

    @pytest.mark.parametrize("form", [(), ("--format", "markdown")])
    def test_whoever_insists_gets_it_in_writing(self, mlh: Mlh, unfair: tuple[str, ...], form: tuple[str, ...]) -> None:
        ran = mlh(*unfair, "--anyway", *form)
        assert ran.code == 0, ran.err
        assert "SLOWER" in ran.out
        assert "[unfair, ranked with --anyway]" in ran.out.replace("\\", "")
        assert "unfair: data: other data (data set)" in ran.out


def test_markdown_has_no_markup_of_the_user_s(mlh: Mlh, tmp_path: Path) -> None:
    write(tmp_path, a_group("a", noisy(5, 0.01, 1)))
    write(tmp_path, a_group("b", noisy(5, 0.01, 2), first=20, changes={"model.name": "<b>|evil|</b>"}))
    ran = mlh("compare", "20260101T000*", "20260101T002*", "--format", "markdown")
    assert ran.code == 0, ran.err
    assert "<b>" not in ran.out.replace("\\<b", "")
    widths = {line.replace("\\|", "").count("|") for line in ran.out.splitlines() if line.startswith("|")}
    assert widths == {5, 6, 8}, "groups, differences, metrics"


def test_accuracies_stand_below_the_figures(mlh: Mlh, tmp_path: Path) -> None:
    plan = a_plan(test={"scenario": "SingleStream", "mode": "both"}, metric=a_metric())
    write(tmp_path, a_group("a", noisy(5, 0.01, 1), plan=plan, score=SCORE))
    worse = {**SCORE, "value": 80.0, "interval": [78.0, 82.0]}
    write(tmp_path, a_group("b", noisy(5, 0.01, 2), first=20, plan=plan, score=worse))
    ran = mlh("compare", "20260101T000*", "20260101T002*")
    (row,) = (line.split("  ") for line in ran.out.splitlines() if line.startswith("top1"))
    assert [cell.strip() for cell in row if cell] == ["top1", "90 %", "80 %", "-10", "-12.8 to -7.17", "4", "worse"]


def test_runs_that_failed_are_named(mlh: Mlh, slower: Path) -> None:
    broken = a_group("x", [1.0], first=50, changes={"status": "failed", "invalid_reasons": ["boom"]})
    write(slower, broken)
    ran = mlh("compare", A, "@last,*-000003")
    assert f"{broken.runs[0].id} left out: failed: boom" in ran.out
    ran = mlh("compare", A, "@last")
    assert ran.code == 2
    assert "has no valid run" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "there is nothing to compare"),
        (("@last",), "there is nothing to compare"),
        (("@last", "@last"), "both hold run"),
        (("@last", "@-2", "--fail-if", "slower"), "is no condition"),
        (("@last", "nothing"), "there is no run 'nothing'"),
        (("@last", "@-2", "--format", "html"), "'--format' cannot be 'html'"),
    ],
)
def test_bad_input(mlh: Mlh, slower: Path, arguments: tuple[str, ...], words: str) -> None:
    ran = mlh("compare", *arguments)
    assert ran.code == 2
    assert words in ran.err
