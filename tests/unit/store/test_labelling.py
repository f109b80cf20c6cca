"""Labels that change after the run survive all that happens to the store."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import filelock
import pytest

from mlharness.errors import UserError
from mlharness.store import labelling
from mlharness.store.index import rebuild
from mlharness.store.labelling import change_labels
from mlharness.store.opening import Store
from mlharness.store.querying import Filter, list_runs
from tests.unit.store.making import write_run


def test_labels_are_set_changed_and_removed(root: Path) -> None:
    directory = write_run(root, "run")
    before = (directory / "result.json").read_bytes()
    assert change_labels(directory, {"a": "1"}) == {"who": "ci", "a": "1"}
    assert change_labels(directory, {"a": "2", "b": ""}, ["who"]) == {"a": "2", "b": ""}
    assert json.loads((directory / "labels.json").read_text("utf-8")) == {
        "schema_version": 1,
        "labels": {"a": "2", "b": ""},
    }
    assert (directory / "result.json").read_bytes() == before


def test_labels_survive_a_new_index(store: Store, root: Path) -> None:
    directory = write_run(root, "run")
    rebuild(store, [root])
    change_labels(directory, {"a": "1"}, ["who"])
    assert rebuild(store, [root]).updated == ["run"]
    assert list_runs(store, Filter())[0]["labels"] == {"a": "1"}


def test_who_labels_at_the_same_time_loses_nothing(root: Path) -> None:
    directory = write_run(root, "run")
    threads = [threading.Thread(target=change_labels, args=(directory, {f"k{n}": "v"})) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(change_labels(directory, {})) == {"who", *(f"k{n}" for n in range(16))}


def test_a_label_that_is_not_there(root: Path) -> None:
    with pytest.raises(UserError, match="--remove x: run has no such label"):
        change_labels(write_run(root, "run"), {}, ["x"])
    assert not (root / "run" / "labels.json").exists()


def test_damaged_labels_are_not_written_over(root: Path) -> None:
    directory = write_run(root, "run")
    (directory / "labels.json").write_text('{"labels": {"precious', "utf-8")
    with pytest.raises(UserError, match="is damaged") as caught:
        change_labels(directory, {"a": "1"})
    assert str(directory / "labels.json") in caught.value.remedy
    assert "precious" in (directory / "labels.json").read_text("utf-8")


def test_labels_of_a_newer_mlharness_are_not_written_over(root: Path) -> None:
    directory = write_run(root, "run")
    (directory / "labels.json").write_text('{"schema_version": 2, "labels": {}}', "utf-8")
    with pytest.raises(UserError, match="has schema_version 2, and this mlharness reads 1"):
        change_labels(directory, {"a": "1"})
    assert '"schema_version": 2' in (directory / "labels.json").read_text("utf-8")


def test_a_lock_that_nobody_gives_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelling, "_PATIENCE_S", 0.01)
    directory = write_run(root, "run")
    with filelock.FileLock(directory / ".labels.lock"), pytest.raises(UserError, match="held by another process"):
        change_labels(directory, {"a": "1"})
