"""Which run a name means."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from sqlalchemy import text

from mlharness.errors import StoreError, UserError
from mlharness.runs import Runs, StoredRuns
from mlharness.store.labelling import change_labels
from tests.unit.store.making import write_run

OLD = "20260301T100000Z-tiny-Offline-aaaaaa"
NEW = "20260302T100000Z-tiny-Server-bbbbbb"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Two runs where mlh bench keeps them, which no store has been told of; what is told of them is collected."""
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("MLH_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "data" / "runs", OLD)
    write_run(tmp_path / "data" / "runs", NEW, {"started": "2026-03-02T10:00:00.000+00:00"})
    return Runs()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("@last", NEW), ("@-1", NEW), ("@-2", OLD), (OLD, OLD), ("20260301", OLD), ("20260302T100000Z-tiny-S", NEW),
        (f"data/runs/{OLD}", OLD), (f"./data/runs/{OLD}/", OLD),
    ],
)  # fmt: skip
def test_a_name_means_a_run(runs: Runs, name: str, found: str, tmp_path: Path) -> None:
    run = runs.find(name)
    assert (run.run_id, run.here, run.kept_on) == (found, True, platform.node())
    assert run.files() == tmp_path / "data" / "runs" / found
    assert run.result["run_id"] == found


@pytest.mark.parametrize(
    ("name", "message", "remedy"),
    [
        ("2026030", "several runs begin with '2026030': 20260302", "Write more"),
        ("", "there is no run ''", "See: mlh runs"),
        ("@-3", "@-3: there are not so many runs", "See: mlh runs"),
        ("@first", "'@first' names no run", "@last"),
        ("@0", "'@0' names no run", "@last"),
        ("@-0", "'@-0' names no run", "@last"),
        ("20260301T100000Z-tiny-Ofline-aaaaaa", "there is no run", f"Did you mean {OLD!r}?"),
        ("resnet", "there is no run 'resnet'", "See: mlh runs"),
        ("data/runs/nothing", "nothing does not exist", "incomplete"),
        ("data/runs", "has no result.json", "incomplete"),
        ("x" * 300, "there is no run 'xxx", "See: mlh runs"),
        ("./" + "x" * 300, "cannot be read: File name too long", "incomplete"),
        ("half \udc80", "there is no run", "See: mlh runs"),
    ],
)
def test_a_name_that_means_none(runs: Runs, name: str, message: str, remedy: str) -> None:
    with pytest.raises(UserError) as caught:
        runs.find(name)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_a_whole_id_is_no_beginning(runs: Runs, tmp_path: Path) -> None:
    write_run(tmp_path / "data" / "runs", f"{OLD}-2")
    assert runs.find(OLD).run_id == OLD


def test_a_folder_with_a_result_needs_no_slash(runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(write_run(tmp_path / "elsewhere", "mine"))
    assert runs.find(".").run_id == "mine"


def test_a_path_needs_no_store(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_STORE", "nowhere://")
    assert runs.find(f"data/runs/{OLD}").run_id == OLD
    with pytest.raises(StoreError):
        runs.find("@last")


def test_a_result_has_the_labels_of_now(runs: Runs, tmp_path: Path) -> None:
    change_labels(tmp_path / "data" / "runs" / OLD, {"a": "b"}, ["who"])
    assert runs.find(OLD).result["labels"] == {"a": "b"}


def test_each_run_is_found_once(runs: Runs) -> None:
    assert [run.run_id for run in runs.find_all(["@last", OLD, NEW, "@-2"])] == [NEW, OLD]


def test_what_cannot_be_added_is_told_and_the_others_found(tmp_path: Path, runs: Runs) -> None:
    (tmp_path / "data" / "runs" / OLD / "result.json").write_text("{", "utf-8")
    told: list[str] = []
    assert Runs(told.append).find("@last").run_id == NEW
    (line,) = told
    assert f"{OLD}/result.json is damaged" in line


def test_a_store_that_cannot_be_written_is_read(tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlharness.store import opening

    monkeypatch.setattr(opening, "BUSY_S", 0.05)
    assert runs.find("@last").run_id == NEW
    write_run(tmp_path / "data" / "runs", "later", {"started": "2026-03-03T10:00:00.000+00:00"})
    told: list[str] = []
    with runs.store.writing():
        assert Runs(told.append).find("@last").run_id == NEW
    assert told[0].startswith("runs may be missing: the store ")
    assert Runs().find("@last").run_id == "later"


def test_a_run_whose_directory_is_not_here_is_known_by_its_result(runs: Runs) -> None:
    store = runs.store
    with store.writing() as connection:
        connection.execute(
            text("UPDATE mlh_runs SET kept_on = 'rack', root = '/far/away' WHERE run_id = :id"), {"id": OLD}
        )
    from mlharness.store.querying import get_run

    stored = get_run(store, OLD)
    assert stored is not None
    run = Runs.stored(runs, OLD)
    assert (run.here, run.kept_on, run.result["metric"]["value"]) == (False, "rack", 101.5)
    with pytest.raises(UserError, match=r"they were in /far/away/.* on rack"):
        run.files()


def test_the_runs_of_a_store_are_named_by_no_path(runs: Runs, tmp_path: Path) -> None:
    stored = StoredRuns(runs.store)
    assert stored.find("@last").run_id == NEW
    write_run(tmp_path, "beside")  # in the current folder, and not in the store
    assert runs.find("beside").run_id == "beside"
    for name in ("beside", f"data/runs/{OLD}", str(tmp_path / "beside")):
        with pytest.raises(UserError, match="there is no run"):
            stored.find(name)
