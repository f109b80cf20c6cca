"""``--summary``: every command writes one, however it ends, and it says what the exit code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlharness import bench as bench_module
from mlharness.errors import PluginError, RunError, UserError
from mlharness.payloads import RunFinished
from mlharness.request import Request
from mlharness.summarising.junit import clean
from mlharness.sweeping.running import Bench as SweepBench
from tests.unit.cli import test_sweep
from tests.unit.cli.conftest import Mlh
from tests.unit.cli.test_bench import INVALID, VALID, Bench, a_result
from tests.unit.cli.test_compare import A, B, write
from tests.unit.comparing.making import SCORE, a_group, in_pairs, noisy
from tests.unit.runner.making import a_metric, a_plan
from tests.unit.summarising.junit_rules import outcomes, read_junit
from tests.unit.summarising.making import HOSTILE
from tests.unit.summarising.test_document import valid
from tests.unit.sweeping.conftest import keep, made_up, pretend

ALL = ("--summary", "junit:out/x.xml", "--summary", "out/x.md", "--summary", "out/x.json")


@pytest.fixture(autouse=True)
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """No run is made; no configuration file is found."""
    monkeypatch.chdir(tmp_path)
    stand_in = Bench()
    monkeypatch.setattr(bench_module, "bench", stand_in)
    return stand_in


def found() -> list[tuple[str, str, str]]:
    """Name, outcome and message of each case; the three files agree on them."""
    cases = list(outcomes(read_junit(Path("out/x.xml").read_text("utf-8"))))
    document = valid(Path("out/x.json").read_text("utf-8"))
    page = Path("out/x.md").read_text("utf-8")
    words = {"": "passed", "failure": "failed", "error": "error", "skipped": "skipped"}
    told = {(clean(case["name"]), case["outcome"]) for case in document["cases"]}
    assert told == {(name, words[outcome]) for name, outcome, _ in cases}
    verdict = {"passed": "passed", "failed": "FAILED", "error": "ERROR"}[document["outcome"]]
    assert page.splitlines()[0].endswith(f": {verdict}")
    return cases


NAME = "tiny on null, cpu, Offline"


class TestBench:
    """``mlh bench``."""

    @pytest.mark.parametrize(
        ("end", "code", "cases"),
        [
            (a_result(**VALID), 0, [(NAME, "", "")]),
            (a_result(passed=True, **VALID), 0, [(NAME, "", ""), (f"{NAME}: accuracy", "", "")]),
            (
                a_result(passed=False, **VALID),
                4,
                [(NAME, "", ""), (f"{NAME}: accuracy", "failure", "top1 50.00 %, n = 8, target 99: NOT met")],
            ),
            (a_result(failure="boom"), 3, [(NAME, "error", "boom")]),
            (
                UserError("no such device", "Use another."),
                2,
                [("command", "error", "no such device")],
            ),
            (PluginError("no framework is named 'x'"), 2, [("command", "error", "no framework is named 'x'")]),
            (RunError("the download broke"), 3, [("command", "error", "the download broke")]),
            (ZeroDivisionError("oh"), 1, [("command", "error", "a bug in mlharness: ZeroDivisionError: oh")]),
            (KeyboardInterrupt(), 130, [("command", "error", "interrupted")]),
        ],
    )
    def test_each_end(self, mlh: Mlh, bench: Bench, end: Any, code: int, cases: list[tuple[str, str, str]]) -> None:
        bench.ends = [end]
        ran = mlh("bench", "null", *ALL)
        assert ran.code == code, ran.err
        assert [case[:2] for case in found()] == [case[:2] for case in cases]
        assert [case[2] for case in found() if case[1]] == [case[2] for case in cases if case[1]]

    def test_an_invalid_run_says_why(self, mlh: Mlh, bench: Bench) -> None:
        bench.ends = [a_result(**INVALID)]
        assert mlh("bench", "null", *ALL).code == 3
        [(_, outcome, why)] = found()
        assert (outcome, why) == ("failure", "; ".join(a_result(**INVALID)["invalid_reasons"]))
        assert why
        assert "| why | " in Path("out/x.md").read_text("utf-8")

    def test_the_run_that_was_interrupted_is_the_last_case(
        self, mlh: Mlh, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = {**a_result(interrupted=True), "run_id": "another"}

        def run(request: Request, earlier: Any = ()) -> dict[str, Any]:
            if not earlier:
                return a_result(**VALID)
            request.plugins.manager.hook.mlh_on_run_finished(finished=RunFinished("another", Path(), broken))
            raise KeyboardInterrupt

        monkeypatch.setattr(bench_module, "bench", run)
        assert mlh("bench", "null", "--block", "builtin-store", "--repeat", "3", *ALL).code == 130
        assert [(name, outcome) for name, outcome, _ in found()] == [(NAME, ""), (f"{NAME} (2)", "error")]
        assert found()[1][2] == "interrupted by the user"

    def test_an_earlier_run_that_failed_does_not_hide_why_the_command_ended(self, mlh: Mlh, bench: Bench) -> None:
        bench.ends = [a_result(failure="boom"), KeyboardInterrupt()]
        assert mlh("bench", "null", "--repeat", "3", *ALL).code == 130
        assert [why for _, _, why in found()] == ["boom", "interrupted"]

    def test_a_grade_that_was_required(self, mlh: Mlh, bench: Bench) -> None:
        quality = {"grade": "C", "reasons": ["busy"], "stretches": [], "samples": 9}
        bench.ends = [a_result(quality=quality, **VALID) for _ in range(3)]
        assert mlh("bench", "null", "--require-quality", "B", "--attempts", "2", *ALL).code == 3
        assert found() == [(NAME, "", ""), (f"{NAME}: quality", "failure", "quality C, and B is required")]
        Path("out/x.md").unlink()  # to which more would be appended
        assert mlh("bench", "null", "--require-quality", "C", *ALL).code == 0
        assert found() == [(NAME, "", ""), (f"{NAME}: quality", "", "")]

    def test_repeated_runs_are_a_table(self, mlh: Mlh, bench: Bench) -> None:
        bench.ends = [a_result(**VALID), a_result(**INVALID)]
        mlh("bench", "null", "--repeat", "2", *ALL)
        assert [name for name, _, _ in found()] == [NAME, f"{NAME} (2)"]
        assert "### 2 runs" in Path("out/x.md").read_text("utf-8")

    def test_on_stdout_people_s_words_make_room(self, mlh: Mlh, bench: Bench) -> None:
        ran = mlh("bench", "null", "--summary", "junit:-")
        assert list(outcomes(read_junit(ran.out))) == [(NAME, "", "")]
        assert "VALID (quick)" in ran.err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--summary", "x.txt"], "says no format"),
            (["--summary", "json:-", "--json"], "would go to stdout as well"),
            (["--summary", "x.json", "--dry-run"], "a dry run has nothing to summarise"),
            (["--summary", "json:."], "cannot write the summary"),
        ],
    )
    def test_mistakes_are_told_before_anything_runs(
        self, mlh: Mlh, bench: Bench, words: list[str], message: str
    ) -> None:
        ran = mlh("bench", "null", *words)
        assert ran.code == 2
        assert message in ran.err
        assert bench.requests == []

    @pytest.mark.parametrize(
        ("end", "code", "words"),
        [(a_result(**VALID), 2, "Error: cannot write the summary"), (RunError("it broke"), 3, "Error: it broke")],
    )
    def test_a_summary_that_cannot_be_written_at_the_end(
        self, mlh: Mlh, monkeypatch: pytest.MonkeyPatch, end: Any, code: int, words: str
    ) -> None:
        def run(request: Request, earlier: Any = ()) -> dict[str, Any]:
            Path("out/x.json").unlink()
            Path("out/x.json").mkdir()
            if isinstance(end, RunError):
                raise end
            return a_result(**VALID)

        monkeypatch.setattr(bench_module, "bench", run)
        ran = mlh("bench", "null", "--summary", "out/x.json")
        assert ran.code == code
        assert words in ran.err
        assert "cannot write the summary out/x.json: Is a directory" in ran.err

    def test_no_configuration_file_may_ask_for_one(self, mlh: Mlh, bench: Bench, tmp_path: Path) -> None:
        (tmp_path / "mlharness.toml").write_text('[bench]\nsummary = ["x.json"]\n')
        assert mlh("bench", "null").code == 2
        assert bench.requests == []


@pytest.fixture
def slower(tmp_path: Path) -> None:
    """Seven pairs of which B is 10 % slower."""
    write(tmp_path, *in_pairs(noisy(7, 0.01, 1), noisy(7, 0.01, 2, 1.1)))


class TestCompare:
    """``mlh compare``."""

    @pytest.mark.parametrize(("condition", "code", "outcome"), [("slower:5%", 3, "failure"), ("slower:20%", 0, "")])
    @pytest.mark.usefixtures("slower")
    def test_a_case_for_each_metric_and_condition(self, mlh: Mlh, condition: str, code: int, outcome: str) -> None:
        assert mlh("compare", A, B, "--fail-if", condition, "--fail-if", "p50:faster:1%", *ALL).code == code
        told = {name: kind for name, kind, _ in found()}
        assert told == {
            "early_stopping_latency_ss": "", "p50": "", "p90": "", "p99": "", "--fail-if p50:faster:1%": "",
            f"--fail-if {condition}": outcome,
        }  # fmt: skip
        page = Path("out/x.md").read_text("utf-8")
        assert "### B against A, 7 pairs: SLOWER" in page
        assert f"--fail-if {condition} {'HOLDS' if code else 'does not hold'} for" in page
        figures = valid(Path("out/x.json").read_text("utf-8"))["cases"][0]["figures"]
        assert set(figures) == {"a", "b", "ratio", "ratio_low", "ratio_high"}
        assert figures["ratio_low"]["value"] < figures["ratio"]["value"] < figures["ratio_high"]["value"]

    def test_a_check_that_so_few_runs_cannot_make_passes_with_a_warning(self, mlh: Mlh, tmp_path: Path) -> None:
        write(tmp_path, *in_pairs(noisy(5, 0.1, 1), noisy(5, 0.1, 2)))
        assert mlh("compare", A, B, "--fail-if", "slower:1%", *ALL).code == 0
        assert found()[-1] == ("--fail-if slower:1%", "", "")
        for name in ("x.xml", "x.md"):
            assert "so few runs overlook such a change often" in Path("out", name).read_text("utf-8")

    def test_without_an_answer_a_metric_is_skipped(self, mlh: Mlh, tmp_path: Path) -> None:
        write(tmp_path, a_group("a", [1.0, 1.1], plan=a_plan(metric=a_metric()), score=SCORE))
        assert mlh("compare", "@-2", "@last", *ALL).code == 0
        assert [name for name, kind, _ in found() if kind != "skipped"] == ["top1"], "of many samples in one run"
        assert "1 and 1 runs, and 5 a side are needed" in found()[0][2]

    def test_a_condition_without_an_answer_is_an_error(self, mlh: Mlh, tmp_path: Path) -> None:
        write(tmp_path, a_group("a", [1.0, 1.1]))
        assert mlh("compare", "@-2", "@last", "--fail-if", "slower:3%", *ALL).code == 2
        assert [name for name, kind, _ in found() if kind == "error"] == ["command"]
        assert "--fail-if slower:3%" in found()[-1][2]

    def test_an_unfair_pair_is_an_error_with_its_differences(self, mlh: Mlh, tmp_path: Path) -> None:
        write(tmp_path, a_group("a", noisy(5, 0.01, 1)))
        write(tmp_path, a_group("b", noisy(5, 0.01, 2), first=20, changes={"dataset.name": "ones"}))
        assert mlh("compare", "20260101T000*", "20260101T002*", *ALL).code == 2
        [(name, kind, why)] = found()
        assert (name, kind) == ("command", "error")
        assert "would be unfair: data: other data (data set)" in why
        page = Path("out/x.md").read_text("utf-8")
        assert "| data | data set | zeros | ones | UNFAIR |" in page
        assert page.rstrip().endswith("- Add --anyway to rank them.")

    def test_a_run_that_is_not_there(self, mlh: Mlh) -> None:
        assert mlh("compare", "a", "b", *ALL).code == 2
        assert [kind for _, kind, _ in found()] == ["error"]

    def test_in_pairs_the_runs_are_cases_too(self, mlh: Mlh, tmp_path: Path) -> None:
        write(tmp_path, *in_pairs(noisy(5, 0.01, 1), noisy(5, 0.01, 2)))
        mlh("runs", "show", "@last", *ALL)
        assert found() == [("tiny on null, cpu, SingleStream, pair 5 B", "", "")]


class TestRunsShow:
    """``mlh runs show``."""

    def test_hostile_names_stay_words(self, mlh: Mlh, tmp_path: Path) -> None:
        changes = {
            "model.name": HOSTILE.replace("\ud800", ""), "labels": {"<k>": "<v>|"}, "warnings": ["</failure>"],
            "status": "invalid", "invalid_reasons": ["<reason> ]]>\x00"],
        }  # fmt: skip
        write(tmp_path, a_group("a", [1.0], changes=changes))
        assert mlh("runs", "show", "@last", *ALL).code == 0
        [(name, kind, why)] = found()
        assert name.startswith("<b>|evil|</b>")
        assert (kind, why) == ("failure", "<reason> ]]>\\x00")
        page = Path("out/x.md").read_text("utf-8")
        assert "<k>" not in page
        assert "| label | \\<k\\>=\\<v\\>\\| |" in page

    def test_the_document_on_stdout_stays_alone(self, mlh: Mlh, tmp_path: Path) -> None:
        write(tmp_path, a_group("a", [1.0]))
        ran = mlh("runs", "show", "@last", "--json", *ALL)
        assert ran.document["status"] == "valid"
        assert [kind for _, kind, _ in found()] == [""]


class TestSweep:
    """``mlh sweep``."""

    @pytest.fixture(autouse=True)
    def pretending(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(SweepBench, "__call__", lambda self, place, unit, earlier: pretend(place, unit, earlier))

    def test_a_case_for_each_cell(self, mlh: Mlh, tmp_path: Path) -> None:
        file = test_sweep.write(tmp_path, models=["a", "missing", "broken", "bug"], batch_sizes=[1, 2])
        assert mlh("sweep", str(file), *ALL).code == 1
        told = {name: (kind, why) for name, kind, why in found()}
        cell = "{} on its framework, cpu, SingleStream, batch {}".format
        assert told[cell("a", 1)] == told[cell("a", 2)] == ("", "")
        assert told[cell("missing", 1)] == ("error", "no model is named 'missing'")
        assert told[cell("broken", 2)][0] == "error"
        assert told[cell("bug", 1)] == ("error", "ZeroDivisionError: oops")
        assert len(told) == 8
        assert "remedy: See: mlh models" in Path("out/x.xml").read_text("utf-8")
        assert "| MODEL | FRAMEWORK | BATCH |" in Path("out/x.md").read_text("utf-8")

    def test_a_sweep_that_was_stopped_has_cells_that_did_not_run(
        self, mlh: Mlh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stopped(self: Any, place: Any, unit: Any, earlier: Any) -> Any:
            if unit.cell.model == "b":
                raise KeyboardInterrupt
            return pretend(place, unit, earlier)

        monkeypatch.setattr(SweepBench, "__call__", stopped)
        file = test_sweep.write(tmp_path, models=["a", "b", "c"])
        assert mlh("sweep", str(file), *ALL).code == 130
        ran, *waiting, ended = [(kind, why) for _, kind, why in found()]
        assert (ran, ended) == (("", ""), ("error", "interrupted; 2 runs left"))
        assert waiting == [("skipped", "not run yet")] * 2
        page = Path("out/x.md").read_text("utf-8")
        assert ", not complete" in page
        assert "Go on with: mlh sweep --resume" in page

    def test_accuracy_and_validity_fail_a_cell(self, mlh: Mlh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        low = {"metric": "top1", "unit": "%", "value": 60.0, "target": 70, "passed": False}

        def run(self: Any, place: Any, unit: Any, earlier: Any) -> Any:
            changed = {"accuracy": low} if unit.cell.model == "low" else {"status": "invalid"}
            return keep(place, made_up(place, unit, **changed))

        monkeypatch.setattr(SweepBench, "__call__", run)
        assert mlh("sweep", str(test_sweep.write(tmp_path, models=["low", "short"])), *ALL).code == 3
        assert [(kind, why) for _, kind, why in found()] == [
            ("failure", "top1 60 %: target 70 not met"),
            ("failure", "it is invalid"),
        ]

    def test_a_damaged_journal_is_told_and_not_called_a_kill(self, mlh: Mlh, tmp_path: Path) -> None:
        directory = test_sweep.begun(tmp_path, models=["a"])
        (directory.path / "journal.jsonl").write_text("{}\n", "utf-8")
        assert mlh("sweep", "--resume", str(directory.path), *ALL).code == 2
        [(name, kind, why)] = found()
        assert (name, kind) == ("command", "error")
        assert "is damaged" in why


def test_a_file_that_is_begun_is_no_report_of_an_earlier_run(mlh: Mlh, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("x.json").write_text('{"outcome": "passed"}', "utf-8")
    seen = []

    def run(request: Request, earlier: Any = ()) -> dict[str, Any]:
        seen.append(json.loads(Path("x.json").read_text("utf-8"))["outcome"])
        return a_result(**VALID)

    monkeypatch.setattr(bench_module, "bench", run)
    mlh("bench", "null", "--summary", "x.json")
    assert seen == ["error"]
    assert json.loads(Path("x.json").read_text("utf-8"))["outcome"] == "passed"
