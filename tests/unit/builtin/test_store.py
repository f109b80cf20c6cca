"""The observer that tells the store of a run: last of all, and never the run's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness import hookimpl
from mlharness.observers import Observers
from mlharness.payloads import RunFinished
from mlharness.plugins import build_manager
from mlharness.store.opening import open_store
from mlharness.store.querying import Filter, list_runs
from tests.unit.store.making import a_result, write_run

RUN = "20260301T100000Z-tiny-Offline-abcdef"


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFinished:
    """A run that has ended, kept where no store looks by itself."""
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("MLH_STORE", raising=False)
    return RunFinished(RUN, write_run(tmp_path / "elsewhere", RUN), a_result(RUN))


def test_a_run_that_has_ended_is_in_the_store(finished: RunFinished) -> None:
    observers = Observers(build_manager(allow=["builtin-store"]).manager)
    observers.tell("mlh_on_run_finished", finished)
    assert observers.warnings == []
    (row,) = list_runs(open_store(), Filter())
    assert (row["run_id"], row["directory"]) == (RUN, str(finished.directory))


def test_other_observers_come_before_it(finished: RunFinished) -> None:
    plugins = build_manager(allow=["builtin-store"])
    seen: list[int] = []

    class Other:
        @hookimpl
        def mlh_on_run_finished(self, finished: RunFinished) -> None:
            seen.append(len(list_runs(open_store(), Filter())))

    plugins.manager.register(Other())
    Observers(plugins.manager).tell("mlh_on_run_finished", finished)
    assert seen == [0]


def test_a_store_that_is_out_of_reach_is_a_warning(finished: RunFinished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_STORE", str(finished.directory))
    observers = Observers(build_manager(allow=["builtin-store"]).manager)
    observers.tell("mlh_on_run_finished", finished)
    (warning,) = observers.warnings
    assert warning.startswith("observer builtin-store failed in mlh_on_run_finished: StoreError: the store ")


def test_blocked_it_does_nothing(finished: RunFinished) -> None:
    plugins = build_manager(allow=["builtin-store"], block=["builtin-store"])
    Observers(plugins.manager).tell("mlh_on_run_finished", finished)
    assert list_runs(open_store(), Filter()) == []
