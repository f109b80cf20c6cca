"""Every check of the data-set suite can fail: one deliberately wrong data set for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
import pytest

from mlharness.errors import UserError
from mlharness.plugins import Plugins
from mlharness.providers import Option
from mlharness.registrars import DataSetRegistrar
from mlharness.testing import DataSetConformance
from tests.unit.testing.broken import checks_of, fails, only, run_check

KEPT: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    KEPT.clear()


class Numbers:
    """A right data set: sample i is [i, i], float32. The broken ones differ in one thing."""

    def __init__(self, count: int | None) -> None:
        self.count = 4 if count is None else min(count, 4)

    def __len__(self) -> int:
        return self.count

    def check(self) -> None:
        pass

    def sample(self, index: int) -> Any:
        return (np.full(2, index, np.float32),)

    def label(self, index: int) -> Any:
        return index


class Uncounted(Numbers):
    def __init__(self, count: int | None) -> None:
        super().__init__(None)


class Padded(Numbers):
    def __init__(self, count: int | None) -> None:
        self.count = 4 if count is None else count


class Longer(Numbers):
    def __len__(self) -> int:
        return self.count + 1


class Lists(Numbers):
    def sample(self, index: int) -> Any:
        return [1.0, 2.0]


class Objects(Numbers):
    def sample(self, index: int) -> Any:
        return (np.array(["text", None], object),)


class Drifting(Numbers):
    def sample(self, index: int) -> Any:
        KEPT.append(1)
        return (np.full(2, len(KEPT), np.float32),)


class Relabelling(Numbers):
    def label(self, index: int) -> Any:
        KEPT.append(1)
        return len(KEPT)


class Reusing(Numbers):
    buffer = np.empty(2, np.float32)

    def sample(self, index: int) -> Any:
        self.buffer[:] = index
        return (self.buffer,)


class MainThreadOnly(Numbers):
    def sample(self, index: int) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("this is not the main thread")
        return super().sample(index)


class WrongOnThreads(Numbers):
    def sample(self, index: int) -> Any:
        main = threading.current_thread() is threading.main_thread()
        return super().sample(index if main else 0)


class Keeping(Numbers):
    def sample(self, index: int) -> Any:
        KEPT.append(bytearray(200))
        return super().sample(index)


class Verbose(Numbers):
    def sample(self, index: int) -> Any:
        for _ in range(1000):
            pass
        return super().sample(index)


class Suite(DataSetConformance):
    dataset = "fake"
    count = 4

    def __init__(
        self, kind: Callable[[int | None], Any], doc: str = "Whether it is good.", strict: bool = True
    ) -> None:
        self.kind, self.doc, self.strict = kind, doc, strict

    def plugins(self) -> Plugins:
        options = (Option("good", "boolean", self.doc, True),)
        return only(lambda catalog: DataSetRegistrar(catalog, "fakes").dataset("fake", open=self.make, options=options))

    def make(self, options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> Any:
        if self.strict and not options["good"]:
            raise UserError("this data set is not good", "Use another.")
        return self.kind(count)

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        return [{"good": False}]


WRONG: list[tuple[str, Suite, str]] = [
    ("test_it_is_registered_and_described", Suite(Numbers, doc=""), "has no doc"),
    ("test_it_has_as_many_samples_as_it_says", Suite(Longer), "has 5 samples"),
    ("test_it_has_as_many_samples_as_it_says", Suite(Uncounted), "count 1 has another length"),
    ("test_it_has_as_many_samples_as_it_says", Suite(Padded), "count 5 has 5 samples"),
    ("test_samples_are_arrays", Suite(Lists), "sample 0 is list"),
    ("test_samples_are_arrays", Suite(Objects), "holds ['object']"),
    ("test_a_sample_is_always_the_same", Suite(Drifting), "another one"),
    ("test_a_sample_is_always_the_same", Suite(Relabelling), "label of sample 0 changes"),
    ("test_a_sample_outlives_the_next", Suite(Reusing), "overwrites an earlier one"),
    ("test_threads_may_ask_at_once", Suite(MainThreadOnly), "not the main thread"),
    ("test_threads_may_ask_at_once", Suite(WrongOnThreads), "other samples on several threads"),
    ("test_a_thousand_samples_leak_nothing", Suite(Keeping), "bytes allocated through Python"),
    ("test_bad_options_are_user_errors", Suite(Numbers, strict=False), "raises nothing"),
    ("test_overhead_is_bounded", Suite(Verbose), "lines of Python for a sample"),
]


@pytest.mark.parametrize(("check", "suite", "said"), WRONG)
def test_wrong_data_set_fails(check: str, suite: Suite, said: str, tmp_path: Path) -> None:
    assert said in fails(suite, check, tmp_path)


@pytest.mark.parametrize("check", checks_of(DataSetConformance))
def test_right_data_set_passes(check: str, tmp_path: Path) -> None:
    run_check(Suite(Numbers), check, tmp_path)


def test_every_check_has_a_wrong_data_set() -> None:
    assert {check for check, _, _ in WRONG} == set(checks_of(DataSetConformance))


def test_without_bad_options_their_check_is_skipped(tmp_path: Path) -> None:
    class Trusting(Suite):
        def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
            return ()

    with pytest.raises(SkipTest, match="define bad_options"):
        run_check(Trusting(Numbers), "test_bad_options_are_user_errors", tmp_path)
