"""Observers are told of everything, and none of them can hurt the run or another."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pluggy
import pytest

from mlharness import hookimpl, hookspecs
from mlharness.interrupts import SIGNALS, interruptible
from mlharness.observers import Observers
from mlharness.payloads import PhaseStarted, Progress, RunFinished, RunStarted


class Listener:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    @hookimpl
    def mlh_on_run_started(self, run: RunStarted) -> None:
        self.heard.append(run)

    @hookimpl
    def mlh_on_phase_started(self, phase: PhaseStarted) -> None:
        self.heard.append(phase)

    @hookimpl
    def mlh_on_progress(self, progress: Progress) -> None:
        self.heard.append(progress)

    @hookimpl
    def mlh_on_run_finished(self) -> None:
        """An implementation may leave out the argument."""
        self.heard.append("finished")


class Raiser:
    def __init__(self, error: BaseException) -> None:
        self._error = error

    @hookimpl
    def mlh_on_progress(self, progress: Progress) -> None:
        raise self._error


def observers(**plugins: object) -> Observers:
    """The plugins under names as discovery gives them."""
    manager = pluggy.PluginManager("mlharness")
    manager.add_hookspecs(hookspecs)
    for name, plugin in plugins.items():
        manager.register(plugin, name=f"{name}:entry")
    return Observers(manager)


STARTED = RunStarted("run-1", Path("run-1"), {"model": {}})


def test_each_hook_brings_its_payload() -> None:
    listener = Listener()
    told = observers(listener=listener)
    told.tell("mlh_on_run_started", STARTED)
    told.tell("mlh_on_run_finished", RunFinished("run-1", Path("run-1"), {}))
    assert listener.heard == [STARTED, "finished"]
    assert told.warnings == []


def test_a_watch_hands_on_phases_and_progress() -> None:
    listener = Listener()
    watch = observers(listener=listener).watch("run-1", "trial 2: ")
    watch.phase("measure", "Server, performance", 2.0)
    watch.phase("warmup", "", None)
    watch.progress("measure", 5, None, 1.25)
    assert listener.heard == [
        PhaseStarted("run-1", "measure", "trial 2: Server, performance", 2.0),
        PhaseStarted("run-1", "warmup", "trial 2", None),
        Progress("run-1", "measure", 5, None, 1.25),
    ]


@pytest.mark.parametrize("order", [("raiser", "listener"), ("listener", "raiser")])
def test_one_that_raises_is_a_warning_and_the_others_are_told(order: tuple[str, str]) -> None:
    plugins = {"raiser": Raiser(ValueError("not now")), "listener": Listener()}
    told = observers(**{name: plugins[name] for name in order})
    told.watch("run-1").progress("measure", 5, None, 1.0)
    assert told.warnings == ["observer raiser failed in mlh_on_progress: ValueError: not now"]
    listener = plugins["listener"]
    assert isinstance(listener, Listener)
    assert len(listener.heard) == 1


def test_the_same_failure_every_second_is_one_warning() -> None:
    told = observers(raiser=Raiser(ValueError("not now")))
    for done in range(5):
        told.watch("run-1").progress("measure", done, None, 1.0)
    assert len(told.warnings) == 1


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(0)])
def test_an_observer_that_leaves_has_failed(raised: BaseException) -> None:
    told = observers(raiser=Raiser(raised))
    told.watch("run-1").progress("measure", 5, None, 1.0)
    assert len(told.warnings) == 1
    assert type(raised).__name__ in told.warnings[0]


def test_an_interrupt_by_the_user_is_no_failure_of_an_observer() -> None:
    told = observers(raiser=Raiser(KeyboardInterrupt()))
    before = [signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)]

    def interrupted() -> None:
        with interruptible():
            signal.raise_signal(signal.SIGINT)
            told.watch("run-1").progress("measure", 5, None, 1.0)

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        for number, former in zip((*SIGNALS, signal.SIGALRM), before, strict=True):
            signal.signal(number, former)
    assert told.warnings == []
