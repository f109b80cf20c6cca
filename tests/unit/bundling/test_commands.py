"""``mlh bundle`` and ``mlh reproduce`` on the command line: both forms, what is printed, exit codes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mlharness.bundling.judging import judge
from mlharness.cli.output import Output
from mlharness.cli.reproduction import print_document
from mlharness.errors import UserError
from tests.unit.bundling.making import forge, members_of
from tests.unit.bundling.test_reproducing import locked
from tests.unit.cli.conftest import Mlh, mlh
from tests.unit.comparing.making import a_run, noisy
from tests.unit.environments.making import a_record

__all__ = ["mlh"]  # pytest finds fixtures by their names here


@pytest.mark.parametrize("words", [("bundle",), ("bundle", "create")])
def test_a_run_is_bundled_with_and_without_the_word(mlh: Mlh, made: Path, tmp_path: Path, words: Sequence[str]) -> None:
    target = tmp_path / "x.mlhz"
    ran = mlh(*words, str(made), "-o", str(target), "--with-files", "--no-lock")
    assert ran.code == 0, ran.err
    first, second, note = ran.out.splitlines()
    assert first == f"{target}: 19 files, {target.stat().st_size:,} bytes"
    assert second.startswith("sha256 ")
    assert note.strip() == "no environment is in it: mlh reproduce runs in the one that it finds"
    again = mlh(*words, str(made), "-o", str(target), "--with-files", "--no-lock", "--json")
    assert again.document["sha256"] == second.removeprefix("sha256 ")
    assert again.document["bundle"]["run"]["id"] == made.name


def test_options_may_come_first_and_a_name_is_made_up(
    mlh: Mlh, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mlh("bundle", "--without-files", "--no-lock", "-q", str(made)).code == 0
    assert (tmp_path / f"{made.name}.mlhz").is_file()


def test_a_misspelt_word_is_answered_with_the_right_one(mlh: Mlh) -> None:
    ran = mlh("bundle", "verfy", "x.mlhz")
    assert ran.code == 2
    assert "Did you mean 'verify'?" in ran.err


def test_help_lists_both_commands(mlh: Mlh) -> None:
    ran = mlh("bundle", "--help")
    assert ran.code == 0
    assert "create" in ran.out
    assert "verify" in ran.out


def test_a_bundle_is_verified_and_its_accuracy_computed_again(mlh: Mlh, bundle: Path) -> None:
    ran = mlh("bundle", "verify", str(bundle), "--json")
    assert ran.code == 0, ran.err
    assert (ran.document["holds"], ran.document["findings"]) == (True, [])
    assert "accuracy.value" in ran.document["recomputed"]
    assert "metric.value" in ran.document["recomputed"]
    people = mlh("bundle", "verify", str(bundle))
    assert people.out.splitlines()[0] == f"{ran.document['run']['id']}: holds"
    assert "harness.null_floor_us: measured once per host, not in this run" in people.out


def test_an_edit_is_exit_3_and_named(mlh: Mlh, bundle: Path, tmp_path: Path) -> None:
    result = json.loads(members_of(bundle)["run/result.json"])
    result["metric"]["value"] /= 2
    forged = forge(bundle, tmp_path / "forged.mlhz", {"run/result.json": json.dumps(result).encode()})
    ran = mlh("bundle", "verify", str(forged))
    assert ran.code == 3
    assert "DOES NOT HOLD" in ran.out
    assert "result.json: metric.value: it is " in ran.out
    assert mlh("bundle", "verify", str(forged), "--json").document["holds"] is False
    ran = mlh("reproduce", str(forged), "--here", "--json")
    assert ran.code == 3
    assert ran.document["reproduced"] is False
    assert ran.document["runs"] == []


def test_an_accuracy_that_the_labels_do_not_give_is_found(mlh: Mlh, bundle: Path, tmp_path: Path) -> None:
    """Also when result and score are changed alike, and all hashes are new."""
    members = members_of(bundle)
    changes: dict[str, bytes | None] = {}
    for name in ("run/result.json", "run/accuracy/scored.json"):
        document = json.loads(members[name])
        document.get("accuracy", document)["value"] = 100.0
        changes[name] = json.dumps(document).encode()
    ran = mlh("bundle", "verify", str(forge(bundle, tmp_path / "forged.mlhz", changes)))
    assert ran.code == 3
    assert "accuracy.value: it is 100.0, and responses and labels give 75.0" in ran.out


def test_what_is_no_bundle_is_exit_2(mlh: Mlh, tmp_path: Path) -> None:
    (tmp_path / "x.mlhz").write_text("no zip")
    for words in (("bundle", "verify"), ("reproduce",)):
        ran = mlh(*words, str(tmp_path / "x.mlhz"))
        assert ran.code == 2
        assert "is no bundle: it is no zip file" in ran.err
        assert mlh(*words, str(tmp_path / "gone"), "--json").document["error"]["remedy"]


def test_a_bundle_without_environment_says_what_to_do(mlh: Mlh, bundle: Path) -> None:
    ran = mlh("reproduce", str(bundle))
    assert ran.code == 2
    assert "holds no environment: it was made with --no-lock" in ran.err
    assert "--here" in ran.err


@pytest.mark.parametrize("within", ["lots", "-1%", "nan", "2000%"])
def test_a_tolerance_is_a_percentage(mlh: Mlh, bundle: Path, within: str) -> None:
    ran = mlh("reproduce", str(bundle), "--here", "--within", within)
    assert ran.code == 2
    assert "is no percentage" in ran.err


def test_the_environments_own_mlh_goes_on(
    mlh: Mlh, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment is rebuilt once it is trusted, and its mlh is given the same options."""
    opened = locked(bundle, tmp_path)
    became: list[tuple[str, Sequence[str], Mapping[str, str]]] = []

    def become(path: str, words: Sequence[str], env: Mapping[str, str]) -> None:
        became.append((path, words, env))
        raise UserError("this process is another now")

    record = a_record()
    monkeypatch.setattr(os, "execve", become)
    monkeypatch.setattr("mlharness.bundling.reproducing.rebuild", lambda opened, telling: (record, True))
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    ran = mlh("reproduce", str(opened.path))
    assert ran.code == 2
    assert "nobody has trusted yet" in ran.err
    assert became == []
    options = ("--repeat", "5", "--within", "7.5", "--output", str(tmp_path / "runs"), "--block", "builtin-store")
    mlh("reproduce", str(opened.path), "--trust", *options, "-q", "--no-color", "--json")
    ((path, words, env),) = became
    assert path == record.interpreter
    assert words[:4] == [record.interpreter, "-I", "-m", "mlharness"]
    expected = ["reproduce", str(opened.path), "--here", "--repeat", "5", "--within", "7.5%", "--trust"]
    expected += ["--output", str(tmp_path / "runs"), "--block", "builtin-store", "--json", "--quiet", "--no-color"]
    assert words[4:] == expected
    assert "PYTHONPATH" not in env
    assert env["MLH_DATA_DIR"] == os.environ["MLH_DATA_DIR"]


def test_a_figure_that_is_too_far_away_is_said_with_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    made = [a_run(number, factor, {"system.host": "south"}) for number, factor in enumerate(noisy(5, 0.02, 1, 1.5), 2)]
    document = {
        **judge(a_run(), made, 0.1),
        "bundle": {"run": "that-run"},
        "environment": {"interpreter": "python", "differences": ["numpy was 2.1, and is 2.0 here"]},
    }
    print_document(Output(), document)
    lines = capsys.readouterr().out.splitlines()
    assert re.match(
        r"that-run: NOT REPRODUCED, 90th percentile latency .* \+\d+\.\d % against the bundle \(10 % allowed\)",
        lines[0],
    )
    assert lines[1].strip().startswith("early_stopping_latency_ss is +")
    row = next(line for line in lines if line.startswith("90th percentile latency (early stopping)"))
    assert re.search(r"1\.000 ms +1\.\d+ ms +\+\d+\.\d+ % +\+\d+\.\d+ % to \+\d+\.\d+ %$", row)
    assert "  environment: numpy was 2.1, and is 2.0 here" in lines
    assert "  host: host was north, and is south here" in lines
    assert [line for line in lines if line.startswith("run  ")] == [f"run  {run.id}" for run in made]
