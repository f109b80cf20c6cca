"""``mlh runs``: what it prints, asks, refuses and leaves behind."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import click
import pytest

from mlharness.cli import runs as module
from mlharness.cli.run_names import complete_runs
from mlharness.errors import UserError
from mlharness.plan import Scenario
from mlharness.result import Status
from mlharness.store.filtering import SCENARIOS, STATUSES, moment
from tests.unit.cli.conftest import Mlh
from tests.unit.store.making import rewrite, write_run

OLD = "20260301T100000Z-tiny-Offline-aaaaaa"
NEW = "20260302T100000Z-tiny-Offline-bbbbbb"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs where mlh bench keeps them."""
    monkeypatch.delenv("MLH_STORE", raising=False)
    path = tmp_path / "mlh_data_dir" / "runs"
    write_run(path, OLD, {"rules": "mlperf", "unverified": "unverified: not verified by MLCommons"})
    accuracy = {"metric": "top1", "value": 71.25, "unit": "%", "n": 9, "interval": None, "details": {}, "target": 90.0,
                "passed": False}  # fmt: skip
    later = {"started": "2026-03-02T10:00:00.000+00:00", "labels": {}, "framework.name": "torch", "accuracy": accuracy}
    write_run(path, NEW, {**later, "metric.value": 2.5e6, "metric.unit": "ns"})
    return path


def test_runs_are_a_table_the_latest_first(mlh: Mlh, root: Path) -> None:
    ran = mlh("runs")
    assert ran.code == 0
    rows = [re.split(r"  +", line) for line in ran.out.splitlines()]
    assert rows == [
        ["RUN", "FRAMEWORK", "STATUS", "FIGURE", "ACCURACY", "HOST", "LABELS"],
        [NEW, "torch 1.2", "VALID (quick)", "2.500 ms", "top1 71.25 % (target NOT met)", "desk"],
        [OLD, "null 1.2", "VALID", "101.50 samples/s (unverified: not verified by MLCommons)", "desk", "who=ci"],
    ]
    assert ran.err == ""


def test_as_json_there_is_all_that_the_store_knows(mlh: Mlh, root: Path) -> None:
    found = mlh("runs", "--json", "--framework", "null").document
    (row,) = found["runs"]
    assert found["total"] == 1
    assert (row["run_id"], row["started"], row["labels"]) == (OLD, "2026-03-01T10:00:00.000+00:00", {"who": "ci"})
    assert row["directory"] == str(root / OLD)
    assert (row["value"], row["p99_ns"], row["accuracy"]) == (101.5, 2000, None)


def test_what_a_limit_leaves_out_is_told(mlh: Mlh, root: Path) -> None:
    ran = mlh("runs", "--limit", "1")
    assert len(ran.out.splitlines()) == 2
    assert ran.err == "The latest 1 of 2 runs; --limit 0 lists all.\n"
    assert mlh("runs", "--limit", "0").err == ""
    assert mlh("runs", "--limit", "1", "--json").document["total"] == 2


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "VALID"], [NEW, OLD]),
        (["--status", "failed", "--status", "valid"], [NEW, OLD]),
        (["--scenario", "offline", "--model", "ti*"], [NEW, OLD]),
        (["--label", "who=ci"], [OLD]),
        (["--label", "who"], [OLD]),
        (["--since", "2026-03-02"], [NEW]),
        (["--until", "2026-03-01"], [OLD]),
        (["--until", "2026-03-01T10:00"], []),
        (["--since", "2026-03-01T11:00+01:00", "--until", "2026-03-01T10:00:01Z"], [OLD]),
        (["--host", "desk", "--framework", "torch==1.2"], [NEW]),
    ],
)
def test_filters(mlh: Mlh, root: Path, options: list[str], found: list[str]) -> None:
    assert [row["run_id"] for row in mlh("runs", "--json", *options).document["runs"]] == found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "tinny"], "No run matches. --model tinny: no run has it. Did you mean 'tiny'?"),
        (["--framework", "toch==1"], "Did you mean 'torch'?"),
        (["--model", "z*"], "No run matches.\n"),
        (["--label", "nobody"], "No run matches.\n"),
    ],
)
def test_a_filter_that_no_run_meets(mlh: Mlh, root: Path, options: list[str], words: str) -> None:
    ran = mlh("runs", *options)
    assert (ran.code, ran.out) == (0, "")
    assert words in ran.err


def test_without_any_run_the_first_step_is_named(mlh: Mlh) -> None:
    ran = mlh("runs")
    assert (ran.code, ran.out, ran.err) == (0, "", "No runs yet: mlh bench MODEL makes one.\n")
    assert mlh("runs", "--json").document == {"runs": [], "total": 0}


def test_the_words_of_filters_are_those_of_results() -> None:
    assert get_args(Scenario) == SCENARIOS
    assert get_args(Status) == STATUSES


@pytest.mark.parametrize(("text", "ago"), [("30m", 1800), ("12h", 43200), ("7d", 604800), ("2w", 1209600)])
def test_times_may_be_so_long_ago(text: str, ago: int) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    assert abs(now - moment("--since", text) - timedelta(seconds=ago)) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "", "-1d", "9999-12-31", "999999w"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UserError, match=r"--until .* is no time") as caught:
        moment("--until", text, end=True)
    assert "7d" in caught.value.remedy


def test_a_damaged_run_is_a_warning_and_the_others_are_listed(mlh: Mlh, root: Path) -> None:
    (root / NEW / "result.json").write_text('{"schema', "utf-8")
    ran = mlh("runs")
    assert (ran.code, ran.out.count(OLD), ran.out.count(NEW)) == (0, 1, 0)
    assert f"warning: {root / NEW / 'result.json'} is damaged" in ran.err


def test_a_run_is_shown_as_it_was_printed(mlh: Mlh, root: Path) -> None:
    ran = mlh("runs", "show", "@-2")
    assert ran.out.startswith("tiny on null, cpu, Offline: VALID\n")
    assert f"run  {root / OLD}" in re.sub(r" +", "  ", ran.out)
    assert ran.out.endswith("labels  who=ci\n")
    assert mlh("runs", "show", "@last", "--json").document == json.loads(
        (root / NEW / "result.json").read_text("utf-8")
    )


def test_a_label_is_set_and_stays(mlh: Mlh, root: Path) -> None:
    ran = mlh("runs", "label", OLD[:8], "a=b=c", "--remove", "who")
    assert (ran.code, ran.out) == (0, f"{OLD}: a=b=c\n")
    assert [row["run_id"] for row in mlh("runs", "--json", "--label", "a=b=c").document["runs"]] == [OLD]
    (root.parent / "store.sqlite3").unlink()
    mlh("runs", "index")
    assert mlh("runs", "show", OLD, "--json").document["labels"] == {"a": "b=c"}
    assert mlh("runs", "label", OLD, "x=y", "--json").document == {"run_id": OLD, "labels": {"a": "b=c", "x": "y"}}


@pytest.mark.parametrize(
    ("words", "message"), [(["nothing"], "'nothing' is no label"), (["=x"], "is no label"), ([], "no label to set")]
)
def test_what_is_no_label(mlh: Mlh, root: Path, words: list[str], message: str) -> None:
    ran = mlh("runs", "label", "@last", *words)
    assert ran.code == 2
    assert message in ran.err
    assert not (root / NEW / "labels.json").exists()


class TestRemoval:
    """``mlh runs rm``."""

    def test_directory_and_row_are_gone(self, mlh: Mlh, root: Path) -> None:
        ran = mlh("runs", "rm", "@last", NEW, "--yes")
        assert (ran.code, ran.err) == (0, f"Removed: {NEW}\n")
        assert [path.name for path in root.iterdir()] == [OLD]
        assert [row["run_id"] for row in mlh("runs", "--json").document["runs"]] == [OLD]

    def test_nobody_who_can_be_asked_is_an_error(self, mlh: Mlh, root: Path) -> None:
        for words in ((), ("--json",)):
            ran = mlh("runs", "rm", "@last", *words)
            assert ran.code == 2
            assert "Give --yes." in ran.err
        assert (root / NEW).is_dir()

    @pytest.mark.parametrize(("answer", "left"), [("y\n", [OLD]), ("n\n", [OLD, NEW]), ("\n", [OLD, NEW])])
    def test_who_is_asked_decides(
        self, mlh: Mlh, root: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: list[str]
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        monkeypatch.setattr("sys.stdin", Terminal(answer))
        ran = mlh("runs", "rm", "@last")
        assert ran.code == 0
        assert "Remove 1 run with all files?" in ran.err
        assert sorted(path.name for path in root.iterdir()) == left

    def test_one_misspelt_name_removes_nothing(self, mlh: Mlh, root: Path) -> None:
        assert mlh("runs", "rm", OLD, "x", "--yes").code == 2
        assert sorted(path.name for path in root.iterdir()) == [OLD, NEW]

    def test_of_a_run_that_is_not_here_only_the_entry_goes(self, mlh: Mlh, root: Path, tmp_path: Path) -> None:
        directory = write_run(tmp_path / "elsewhere", "gone")
        mlh("runs", "index", str(directory.parent))
        directory.rename(tmp_path / "hidden")
        shown = mlh("runs", "show", "gone")
        assert shown.out.startswith("tiny on null")
        assert f"the run directory is {directory}, which is gone" in shown.err
        assert "are not here" in mlh("runs", "label", "gone", "a=b").err
        ran = mlh("runs", "rm", "gone", "--yes")
        assert ran.code == 0
        assert "only the store's entry" in ran.err
        assert "gone" not in mlh("runs").out

    def test_a_folder_that_is_no_run_stays(self, mlh: Mlh, root: Path, tmp_path: Path) -> None:
        ran = mlh("runs", "rm", str(tmp_path), "--yes")
        assert ran.code == 2
        assert tmp_path.is_dir()

    def test_a_run_has_one_name_however_one_comes_to_it(self, mlh: Mlh, root: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(root)
        mlh("runs", "index", str(tmp_path / "link"), f"{root}/../runs")
        assert {row["directory"] for row in mlh("runs", "--json").document["runs"]} == {
            str(root / OLD),
            str(root / NEW),
        }
        assert mlh("runs", "rm", str(tmp_path / "link" / OLD), "--yes").code == 0
        assert [row["run_id"] for row in mlh("runs", "--json").document["runs"]] == [NEW]


def test_index_counts_what_it_found(mlh: Mlh, root: Path) -> None:
    (root / "killed").mkdir()
    ran = mlh("runs", "index")
    assert (ran.code, ran.err) == (0, "2 indexed, 1 incomplete\n")
    found = mlh("runs", "index", "--json").document
    assert (sorted(found["unchanged"]), found["incomplete"], found["problems"]) == (
        [OLD, NEW],
        [str(root / "killed")],
        [],
    )


def test_index_names_what_it_cannot_read_and_ends_with_2(mlh: Mlh, root: Path, tmp_path: Path) -> None:
    rewrite(root / NEW, {"schema_version": 9})
    write_run(tmp_path / "other", OLD, {"errors": 4})
    ran = mlh("runs", "index", str(root), str(tmp_path / "other"))
    assert ran.code == 2
    assert "schema_version 9" in ran.out
    assert f"{tmp_path / 'other' / OLD} and {root / OLD} are both run {OLD}" in ran.out
    assert "Error: 2 run directories could not be indexed" in ran.err
    found = mlh("runs", "index", "--json").document
    assert (found["unchanged"], len(found["problems"])) == ([OLD], 1)
    assert found["error"]["message"] == "1 run directory could not be indexed"


def test_import_brings_runs_and_names_the_others(mlh: Mlh, root: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "stick", "third")
    rewrite(write_run(tmp_path / "stick", "newer"), {"schema_version": 2})
    ran = mlh("runs", "import", str(tmp_path / "stick"))
    assert ran.code == 2
    assert "1 imported" in ran.err
    assert "newer/result.json has schema_version 2" in ran.out
    assert (root / "third" / "result.json").is_file()
    assert not (root / "newer").exists()
    assert mlh("runs", "import", str(root / "third")).code == 0


def test_export_writes_a_file_or_csv_to_stdout(mlh: Mlh, root: Path, tmp_path: Path) -> None:
    ran = mlh("runs", "export", "--framework", "torch")
    assert [line.partition(",")[0] for line in ran.out.splitlines()] == ["run_id", NEW]
    target = tmp_path / "runs.parquet"
    assert mlh("runs", "export", "-o", str(target)).err == f"2 runs in {target}\n"
    assert target.read_bytes()[:4] == b"PAR1"
    found = mlh("runs", "export", "-o", str(tmp_path / "x.csv"), "--json").document
    assert found == {"file": str(tmp_path / "x.csv"), "format": "csv", "runs": 2}
    assert mlh("runs", "export", "--json").code == 2


def test_names_complete(mlh: Mlh, root: Path) -> None:
    mlh("runs")

    def completed(incomplete: str) -> list[str]:
        context = click.Context(module.command)
        return [item.value for item in complete_runs(context, module.command.params[0], incomplete)]

    assert completed("20260302") == [NEW]
    assert completed("@") == ["@last"]


@pytest.mark.parametrize("run", ["show", "label", "rm"])
def test_a_store_that_cannot_be_opened_is_one_message(
    mlh: Mlh, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: str
) -> None:
    monkeypatch.setenv("MLH_STORE", str(tmp_path))
    words = {"show": [], "label": ["a=b"], "rm": ["--yes"]}[run]
    ran = mlh("runs", run, "@last", *words)
    assert ran.code == 2
    assert "cannot be opened" in ran.err
    assert "Traceback" not in ran.err
