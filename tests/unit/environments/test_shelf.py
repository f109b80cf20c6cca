"""Environments on disk: half-made and moved ones are none; names, locks, removal."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mlharness.environments.record import MARKER, read_record
from mlharness.environments.shelf import alone, environments, find, folder_of, remove, shelf
from mlharness.errors import UserError
from mlharness.interrupts import Interrupts
from tests.unit.environments.making import a_record, put


def quiet(text: str) -> None:
    """Say nothing."""


def test_without_a_record_there_is_none() -> None:
    put(a_record("whole"))
    (shelf() / "half" / "bin").mkdir(parents=True)
    (shelf() / "damaged").mkdir()
    (shelf() / "damaged" / MARKER).write_text('{"name": "dam', "utf-8")
    assert [record.name for record in environments()] == ["whole"]
    with pytest.raises(UserError, match="no environment is named 'half'") as caught:
        find("half")
    assert "whole" in caught.value.remedy


def test_one_that_was_moved_is_none() -> None:
    put(a_record("here"))
    (shelf() / "here").rename(shelf() / "there")
    assert read_record(shelf() / "there") is None


def test_there_are_none_before_the_first() -> None:
    assert environments() == []


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "-v"])
def test_a_name_is_a_folders(name: str) -> None:
    with pytest.raises(UserError, match="cannot name an environment"):
        folder_of(name)


def test_removed_is_gone() -> None:
    put(a_record("gone"))
    remove("gone", quiet)
    assert not (shelf() / "gone").exists()
    with pytest.raises(UserError):
        remove("gone", quiet)


def test_who_waits_says_so_and_goes_on_when_it_is_free() -> None:
    said, entered = threading.Event(), threading.Event()

    def wait() -> None:
        with alone("one", lambda text: said.set()):
            entered.set()

    with alone("one", quiet):
        other = threading.Thread(target=wait)
        other.start()
        assert said.wait(10)
        assert not entered.is_set()
    other.join(10)
    assert entered.is_set()


def test_who_waits_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Interrupts) -> None:
        raise KeyboardInterrupt

    caught: list[BaseException] = []

    def wait() -> None:
        try:
            with alone("one", quiet):
                pass
        except KeyboardInterrupt as error:
            caught.append(error)

    with alone("one", quiet):
        monkeypatch.setattr(Interrupts, "check", interrupt)
        other = threading.Thread(target=wait)
        other.start()
        other.join(10)
        monkeypatch.undo()
    assert caught


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match="nothing can be written") as caught, alone("one", quiet):
        pass
    assert "MLH_DATA_DIR" in caught.value.remedy
