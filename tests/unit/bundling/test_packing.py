"""What goes into a bundle, and which runs are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlharness.bundling.document import DOCUMENT
from mlharness.errors import UserError
from tests.unit.bundling.making import bundle_of, members_of


def test_a_bundle_holds_the_run_its_manifests_and_its_files(bundle: Path) -> None:
    members = members_of(bundle)
    log = [f"mlperf_log_{name}" for name in ("accuracy.json", "detail.txt", "summary.txt", "trace.json")]
    of_tests = [f"run/{mode}/{name}" for mode in ("performance", "accuracy") for name in (*log, "measured.json")]
    of_run = [f"run/{name}" for name in ("plan.json", "result.json", "system.json", "runner.log", "telemetry.csv")]
    beside = ["model/constant.yaml", "dataset/data/rows.yaml", "dataset/tables/rows.csv", DOCUMENT]
    assert sorted(members) == sorted([*of_tests, *of_run, *beside, "run/accuracy/scored.json"])
    document = json.loads(members[DOCUMENT])
    assert document["model"] | {"sha256": ""} == {
        "name": "constant", "sha256": "", "inside": "model/constant.yaml", "member": "", "plugin": ""
    }  # fmt: skip
    (file,) = document["files"]
    assert (file["use"], file["kind"], file["source"]) == ("data", "path", "../tables/rows.csv")
    assert file["inside"] == "dataset/tables/rows.csv"
    assert document["environment"] is None


def test_the_same_run_gives_the_same_bytes(made: Path, bundle: Path, tmp_path: Path) -> None:
    packed = bundle_of(made, tmp_path / "again.mlhz")
    assert (tmp_path / "again.mlhz").read_bytes() == bundle.read_bytes()
    assert packed.notes == ("no environment is in it: mlh reproduce runs in the one that it finds",)


def test_files_named_by_paths_are_asked_about(made: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"name files of this machine by paths: \.\./tables/rows\.csv \(\d+ bytes\)"
    ) as caught:
        bundle_of(made, tmp_path / "x", files=None)
    assert "--with-files" in caught.value.remedy
    packed = bundle_of(made, tmp_path / "x", files=False)
    assert packed.notes[1] == "files that are not in it, and must be where the manifests say: ../tables/rows.csv"
    assert "dataset/tables/rows.csv" not in members_of(tmp_path / "x")
    assert packed.document.files[0].sha256


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_run_that_did_not_end_is_refused(run: Path, tmp_path: Path, status: str) -> None:
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**result, "status": status}))
    with pytest.raises(UserError, match=f"is {status}: it has nothing that could be reproduced"):
        bundle_of(run, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def without_choices(run: Path) -> None:
    plan = json.loads((run / "plan.json").read_text())
    del plan["choices"]
    (run / "plan.json").write_text(json.dumps(plan))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: (run / "result.json").unlink(), "has no result.json"),
        (lambda run: (run / "plan.json").unlink(), "has no plan.json"),
        (
            lambda run: [path.unlink() for path in run.glob("*/measured.json")],
            "is of an mlharness that did not keep it",
        ),
        (lambda run: (run / "performance" / "measured.json").unlink(), "does not hold together"),
        (without_choices, "does not say what was chosen"),
        (lambda run: (run / "performance" / "mlperf_log_detail.txt").write_text(""), "does not hold together"),
        (lambda run: (run / "runner.log").unlink() or (run / "runner.log").symlink_to("/etc/passwd"), "is a link"),
    ],
)
def test_incomplete_older_and_edited_runs_are_refused(run: Path, tmp_path: Path, spoil: Any, words: str) -> None:
    spoil(run)
    with pytest.raises(UserError, match=words) as caught:
        bundle_of(run, tmp_path / "x")
    assert caught.value.remedy
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["model_manifest", "dataset_manifest"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_manifest_that_has_changed_since_is_refused(run: Path, tmp_path: Path, name: str, gone: bool) -> None:
    plan = json.loads((run / "plan.json").read_text())
    other = tmp_path / "other.yaml"
    if not gone:
        other.write_text(Path(plan["host"][name]).read_text() + "# changed\n")
    plan["host"][name] = str(other)
    (run / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UserError, match="is gone" if gone else "has changed since the run was made"):
        bundle_of(run, tmp_path / "x")
