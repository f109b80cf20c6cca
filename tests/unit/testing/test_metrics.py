"""Every check of the metric suite can fail: one deliberately wrong metric for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.errors import RunError
from mlharness.plugins import Plugins
from mlharness.providers import Array, ResponseSpec, Score
from mlharness.registrars import MetricRegistrar
from mlharness.testing import MetricConformance
from tests.unit.testing.broken import checks_of, fails, only, run_check

KEPT: list[Any] = []
STOP = threading.Event()
RESPONSE = ResponseSpec("float32", (1,))
Responses = Mapping[int, Array]
Label = Callable[[int], Any]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    KEPT.clear()
    STOP.clear()
    yield
    STOP.set()
    for thread in threading.enumerate():
        if thread.name == "left-behind":
            thread.join()


def mean(responses: Responses, label: Label, options: Any) -> Score:
    """The mean distance from the label."""
    found = [abs(float(row[0]) - truth) for index, row in responses.items() if (truth := label(index)) is not None]
    if not found:
        raise RunError("there is nothing to score")
    return Score(sum(found) / len(found), "", len(found), None)


def undocumented(responses: Responses, label: Label, options: Any) -> Score:
    return mean(responses, label, options)


def invented(responses: Responses, label: Label, options: Any) -> Score:
    """Gives a figure for nothing, too."""
    try:
        return mean(responses, label, options)
    except RunError:
        return Score(0.0, "", 0, None)


def shifted(responses: Responses, label: Label, options: Any) -> Score:
    """Wrong by one."""
    right = mean(responses, label, options)
    return Score(right.value + 1, right.unit, right.n, None)


def outside(responses: Responses, label: Label, options: Any) -> Score:
    """An interval beside the value."""
    right = mean(responses, label, options)
    return Score(right.value, right.unit, right.n, (right.value + 1, right.value + 2))


def too_many(responses: Responses, label: Label, options: Any) -> Score:
    """Counts samples that are not there."""
    return Score(mean(responses, label, options).value, "", len(responses) + 1, None)


def bare(responses: Responses, label: Label, options: Any) -> Any:
    """A number alone."""
    return mean(responses, label, options).value


def unitless(responses: Responses, label: Label, options: Any) -> Score:
    """No unit at all."""
    unit: Any = None
    return Score(mean(responses, label, options).value, unit, 1, None)


def drifting(responses: Responses, label: Label, options: Any) -> Score:
    """Depends on how often it was called."""
    KEPT.append(1)
    return Score(float(len(KEPT)), "", 1, None)


def first_only(responses: Responses, label: Label, options: Any) -> Score:
    """Depends on the order."""
    index, row = next(iter(responses.items()))
    return Score(float(row[0]) - label(index), "", 1, None)


def consuming(responses: Responses, label: Label, options: Any) -> Score:
    """Takes the responses away."""
    right = mean(responses, label, options)
    assert isinstance(responses, dict)
    responses.clear()
    return right


def threading_on(responses: Responses, label: Label, options: Any) -> Score:
    """Leaves a thread behind."""
    threading.Thread(target=STOP.wait, name="left-behind").start()
    return mean(responses, label, options)


def keeping(responses: Responses, label: Label, options: Any) -> Score:
    """Keeps what it is given."""
    KEPT.append(bytearray(200))
    return mean(responses, label, options)


def verbose(responses: Responses, label: Label, options: Any) -> Score:
    """Runs many lines."""
    for _ in range(1000 * len(responses)):
        pass
    return mean(responses, label, options)


class Suite(MetricConformance):
    metric = "fake"
    expected = 0.5

    def __init__(self, score: Any, response: Any = RESPONSE) -> None:
        self.given, self.response = score, response

    def plugins(self) -> Plugins:
        def register(catalog: Any) -> None:
            MetricRegistrar(catalog, "fakes").metric("fake", score=self.given, response=lambda options: self.response)

        return only(register)

    def make_responses(self) -> Mapping[int, Array]:
        return {index: np.array([index + 0.25 * index], np.float32) for index in range(5)}

    def label(self, index: int) -> Any:
        return index


WRONG: list[tuple[str, Suite, str]] = [
    ("test_it_is_registered_and_described", Suite(undocumented), "has no docstring"),
    ("test_the_response_is_as_declared", Suite(mean, None), "response gives None"),
    ("test_the_response_is_as_declared", Suite(mean, ResponseSpec("float16", (1,))), "response 0 is float32 [1]"),
    ("test_the_response_is_as_declared", Suite(mean, ResponseSpec("float32", (2,))), "response 0 is float32 [1]"),
    ("test_the_score_is_right", Suite(bare), "returns float"),
    ("test_the_score_is_right", Suite(shifted), "gives 1.5"),
    ("test_the_score_is_right", Suite(outside), "not in its interval"),
    ("test_the_score_is_right", Suite(too_many), "n is 6"),
    ("test_the_score_is_right", Suite(unitless), "unit is None"),
    ("test_the_same_responses_give_the_same_score", Suite(drifting), "gives Score(value=1.0"),
    ("test_the_same_responses_give_the_same_score", Suite(first_only), "in another order"),
    ("test_responses_stay_as_they_were", Suite(consuming), "changes the mapping"),
    ("test_no_thread_is_left_running", Suite(threading_on), "left-behind"),
    ("test_a_thousand_scores_leak_nothing", Suite(keeping), "bytes allocated through Python"),
    ("test_nothing_to_score_is_an_error", Suite(invented), "raises nothing"),
    ("test_overhead_grows_with_the_responses_at_most", Suite(verbose), "for 5 responses"),
]


@pytest.mark.parametrize(("check", "suite", "said"), WRONG)
def test_wrong_metric_fails(check: str, suite: Suite, said: str, tmp_path: Path) -> None:
    assert said in fails(suite, check, tmp_path)


@pytest.mark.parametrize("check", checks_of(MetricConformance))
def test_right_metric_passes(check: str, tmp_path: Path) -> None:
    run_check(Suite(mean), check, tmp_path)


def test_every_check_has_a_wrong_metric() -> None:
    assert {check for check, _, _ in WRONG} == set(checks_of(MetricConformance))
