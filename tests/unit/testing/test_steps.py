"""Every check of the step suite can fail: one deliberately wrong step for each."""

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
from mlharness.providers import Arrays, Context, Option
from mlharness.registrars import StepRegistrar
from mlharness.testing import StepConformance
from tests.unit.testing.broken import checks_of, fails, only, run_check

KEPT: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    KEPT.clear()


def double(arrays: Arrays, context: Context) -> Any:
    if arrays[0].ndim != 2:
        raise ValueError("not two axes")
    return arrays[0] * np.float32(2)


def zeros_instead(arrays: Arrays, context: Context) -> Any:
    return double(arrays, context) if arrays[0].ndim == 2 else np.zeros((8, 4), np.float32)


def as_list(arrays: Arrays, context: Context) -> Any:
    return ([1.0, 2.0],)


def to_double(arrays: Arrays, context: Context) -> Any:
    return arrays[0].astype(np.float64)


def counting(arrays: Arrays, context: Context) -> Any:
    KEPT.append(1)
    return arrays[0] + np.float32(len(KEPT))


def in_place(arrays: Arrays, context: Context) -> Any:
    np.multiply(arrays[0], 2, out=arrays[0])
    return arrays[0].copy()


def writes_context(arrays: Arrays, context: Context) -> Any:
    context["options"]["seen"] = True
    return double(arrays, context)


def only_main(arrays: Arrays, context: Context) -> Any:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("this is not the main thread")
    return double(arrays, context)


def thread_dependent(arrays: Arrays, context: Context) -> Any:
    main = threading.current_thread() is threading.main_thread()
    return arrays[0] * np.float32(2 if main else 3)


def keeping(arrays: Arrays, context: Context) -> Any:
    KEPT.append(bytearray(200))
    return double(arrays, context)


def tolerant(arrays: Arrays, context: Context) -> Any:
    return double(arrays or (np.zeros((8, 4), np.float32),), context)


def looping(arrays: Arrays, context: Context) -> Any:
    return np.stack([row * np.float32(2) for row in arrays[0]])


def verbose(arrays: Arrays, context: Context) -> Any:
    for _ in range(500):
        pass
    return double(arrays, context)


def returning(function: Callable[[Arrays, Context], Any]) -> Callable[..., Any]:
    def make(factor: float) -> Any:
        """Sample step: twice the first array; float32 [4] -> float32 [4]."""
        if factor != 2:
            raise UserError(f"factor is {factor}", "Use 2.")
        return function

    return make


def reusing() -> Callable[..., Any]:
    def make(factor: float) -> Any:
        """Sample step: twice the first array; float32 [4] -> float32 [4]."""
        if factor != 2:
            raise UserError(f"factor is {factor}", "Use 2.")
        buffer = np.empty((8, 4), np.float32)

        def step(arrays: Arrays, context: Context) -> Any:
            count = len(arrays[0])
            return np.multiply(arrays[0], np.float32(2), out=buffer[:count])

        return step

    return make


def careless(factor: float) -> Any:
    """Sample step: takes any factor."""
    return double


def undescribed(factor: float) -> Any:
    """Doubles."""
    return double


class Suite(StepConformance):
    step = "fake"
    gives = (("float32", (8, 4)),)
    bad_parameters: Sequence[Mapping[str, Any]] = ({"factor": 3},)

    def __init__(self, make: Callable[..., Any], **registered: Any) -> None:
        self.given, self.registered = make, registered

    def plugins(self) -> Plugins:
        factor = Option("factor", "number", "What is multiplied with.", 2)
        arguments = {"parameters": (factor,), **self.registered}
        return only(lambda catalog: StepRegistrar(catalog, "fakes").step("fake", self.given, **arguments))

    def make_arrays(self) -> Arrays:
        return (np.arange(32, dtype=np.float32).reshape(8, 4),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.arange(4, dtype=np.float32),)]


def batch(make: Callable[..., Any]) -> Suite:
    make.__doc__ = "Batch step: twice the first array."
    return Suite(make, batch=True)


WRONG: list[tuple[str, Suite, str]] = [
    ("test_it_is_registered_and_described", Suite(undescribed), "says: 'Doubles.'"),
    (
        "test_it_is_registered_and_described",
        Suite(returning(double), parameters=(Option("factor", "number", " ", 2),)),
        "has no doc",
    ),
    ("test_results_are_as_declared", Suite(returning(as_list)), "returns ['list']"),
    ("test_results_are_as_declared", Suite(returning(to_double)), "float64"),
    ("test_the_same_arrays_give_the_same_result", Suite(returning(counting)), "two results"),
    ("test_a_result_outlives_the_next_call", Suite(reusing()), "changes an earlier result"),
    ("test_its_arrays_and_context_stay_as_they_were", Suite(returning(in_place)), "writes into its arrays"),
    ("test_its_arrays_and_context_stay_as_they_were", Suite(returning(writes_context)), "changes its context"),
    ("test_threads_do_not_disturb_it", Suite(returning(only_main)), "not the main thread"),
    ("test_threads_do_not_disturb_it", Suite(returning(thread_dependent)), "other results on several threads"),
    ("test_a_thousand_calls_leak_nothing", Suite(returning(keeping)), "bytes allocated through Python"),
    ("test_bad_parameters_are_user_errors", Suite(careless), "raises nothing"),
    ("test_bad_arrays_are_refused", Suite(returning(tolerant)), "none at all"),
    ("test_bad_arrays_are_refused", Suite(returning(zeros_instead)), "float32 [4]"),
    ("test_overhead_is_bounded", Suite(returning(verbose)), "lines of Python in a call"),
    ("test_overhead_is_bounded", batch(returning(looping)), "four times as many"),
]


@pytest.mark.parametrize(("check", "suite", "said"), WRONG)
def test_wrong_step_fails(check: str, suite: Suite, said: str, tmp_path: Path) -> None:
    assert said in fails(suite, check, tmp_path)


@pytest.mark.parametrize("kind", ["sample", "batch"])
@pytest.mark.parametrize("check", checks_of(StepConformance))
def test_right_step_passes(check: str, kind: str, tmp_path: Path) -> None:
    run_check(Suite(returning(double)) if kind == "sample" else batch(returning(double)), check, tmp_path)


def test_every_check_has_a_wrong_step() -> None:
    assert {check for check, _, _ in WRONG} == set(checks_of(StepConformance))


def test_a_serial_step_may_keep_state(tmp_path: Path) -> None:
    suite = Suite(reusing(), serial=True)
    run_check(suite, "test_a_result_outlives_the_next_call", tmp_path)
    run_check(suite, "test_threads_do_not_disturb_it", tmp_path)


def test_what_comes_out_must_be_said(tmp_path: Path) -> None:
    class Silent(Suite):
        gives: Any = ()

    assert "gives is empty" in fails(Silent(returning(double)), "test_results_are_as_declared", tmp_path)


def test_other_bad_arrays_are_named(tmp_path: Path) -> None:
    class Integers(Suite):
        def bad_arrays(self) -> Sequence[Arrays]:
            return [(np.arange(4).reshape(2, 2),)]

    assert "int64 [2, 2]" in fails(Integers(returning(double)), "test_bad_arrays_are_refused", tmp_path)


def test_what_is_not_given_is_skipped_and_said(tmp_path: Path) -> None:
    class Silent(Suite):
        bad_parameters = ()

        def bad_arrays(self) -> Sequence[Arrays]:
            return ()

    for check, said in (("bad_arrays_are_refused", "define bad_arrays"), ("bad_parameters_are_user_errors", "set bad")):
        with pytest.raises(SkipTest, match=said):
            run_check(Silent(returning(double)), f"test_{check}", tmp_path)
    assert "none at all" in fails(Silent(returning(tolerant)), "test_bad_arrays_are_refused", tmp_path)


def test_the_manifests_attributes_are_in_the_context() -> None:
    class Attributed(Suite):
        attributes: Mapping[str, Any] = {"classes": 3}

    assert Attributed(returning(double)).context()["attributes"] == {"classes": 3}
