"""Run directories: names, whole files or none, and logs that are set aside."""

from __future__ import annotations

import json
import os
import re
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlharness.errors import UserError
from mlharness.rundir import (
    FULL_BYTES,
    RESERVE,
    RESERVE_BYTES,
    create_run_directory,
    discard,
    disk_is_full,
    release,
    set_aside,
    write_json,
)


def test_the_name_is_time_model_scenario_and_six_hex_digits(tmp_path: Path) -> None:
    directory = create_run_directory(tmp_path / "new" / "root", "digits-cnn", "Offline")
    assert directory.is_dir()
    assert re.fullmatch(r"\d{8}T\d{6}Z-digits-cnn-Offline-[0-9a-f]{6}", directory.name)


def test_two_runs_of_one_second_do_not_meet(tmp_path: Path) -> None:
    assert len({create_run_directory(tmp_path, "m", "Server") for _ in range(20)}) == 20


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_root_that_is_a_file(tmp_path: Path, below: str) -> None:
    root = tmp_path / "file"
    root.write_text("")
    with pytest.raises(UserError, match="cannot make a run directory in") as caught:
        create_run_directory(root / below, "m", "Server")
    assert "--output" in caught.value.remedy


def test_a_document_is_written_whole_and_replaces_the_last(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": [2.5, None, "größe"]})
    assert json.loads(path.read_text("utf-8")) == {"a": [2.5, None, "größe"]}
    assert [found.name for found in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("document", [{"a": float("nan")}, {"a": object()}])
def test_what_is_no_json_leaves_the_last_document_and_nothing_else(tmp_path: Path, document: dict[str, object]) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(path, document)
    assert json.loads(path.read_text("utf-8")) == {"a": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["result.json"]


def test_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError, match=r"cannot write .*result\.json: No space left on device"):
        write_json(tmp_path / "result.json", {"a": 1})
    assert list(tmp_path.iterdir()) == []


def test_space_is_kept_for_the_result_and_given_back(tmp_path: Path) -> None:
    directory = create_run_directory(tmp_path, "m", "Server")
    kept = directory / RESERVE
    assert kept.stat().st_size == RESERVE_BYTES
    assert len(zlib.compress(kept.read_bytes())) > RESERVE_BYTES // 2  # on a disk that compresses, too
    release(directory)
    release(directory)
    assert list(directory.iterdir()) == []


def test_a_disk_without_the_space_makes_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError, match="No space left on device"):
        create_run_directory(tmp_path, "m", "Server")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "full"), [(0, True), (FULL_BYTES - 1, True), (FULL_BYTES, False)])
def test_a_full_disk_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, full: bool) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    assert disk_is_full(tmp_path) is full


def test_only_the_files_of_a_test_are_set_aside(tmp_path: Path) -> None:
    source, target = tmp_path / "run", tmp_path / "run" / "incomplete"
    source.mkdir()
    of_test = ["measured.json", "mlperf_log_detail.txt", "mlperf_log_summary.txt"]
    for name in (*of_test, "plan.json"):
        (source / name).write_text(name)
    (source / "mlperf_log_folder").mkdir()
    set_aside(source, target)
    assert sorted(path.name for path in target.iterdir()) == of_test
    assert (source / "plan.json").exists()
    assert not (source / "mlperf_log_detail.txt").exists()


def test_setting_nothing_aside_makes_no_folder(tmp_path: Path) -> None:
    set_aside(tmp_path / "missing", tmp_path / "incomplete")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_never_was_is_gone(tmp_path: Path) -> None:
    directory = create_run_directory(tmp_path, "m", "Server")
    (directory / "plan.json").write_text("{}")
    discard(directory)
    discard(directory)
    assert list(tmp_path.iterdir()) == []
