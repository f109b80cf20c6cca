"""Every check of the tracer suite can fail: one deliberately wrong tracer for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic_ns
from typing import Any
from unittest import SkipTest

import numpy as np
import pytest

from mlharness.plugins import Plugins
from mlharness.providers import Array, Model, TensorSpec, Tracer, TraceRequest
from mlharness.registrars import Catalog, FrameworkRegistrar, TracerRegistrar
from mlharness.testing import TracerConformance
from mlharness.trace.levels import FRAMEWORK
from mlharness.trace.spans import Spans
from tests.unit.testing.broken import checks_of, fails, only, run_check

LATE_NS = 1_000_000_000


class Watching:
    """A right tracer: its predictors tell it of every operator. The broken ones differ in one thing."""

    def __init__(self, request: TraceRequest) -> None:
        self.running = False
        self.found = Spans("fake-operators")

    def start(self) -> None:
        """Nothing to do."""

    def begin(self) -> None:
        self.running = True

    def end(self) -> None:
        self.running = False

    def collect(self) -> Any:
        return self.found

    def operator(self, start: int, end: int) -> None:
        if self.running:
            self.found.add(FRAMEWORK, "double", start, end - start, kind="Mul", attributes='{"index":0}')


class FailsInEmptyTests(Watching):
    def end(self) -> None:
        if not len(self.found):
            raise RuntimeError("nothing was recorded")


class CollectsOnce(Watching):
    def collect(self) -> Any:
        found, self.found = self.found, None  # type: ignore[assignment]  # that is what is wrong with it
        len(found)
        return found


class GivesText(Watching):
    def collect(self) -> Any:
        return ["spans"]


class RecordsNothing(Watching):
    def operator(self, start: int, end: int) -> None:
        """Looks away."""


class RecordsWarmUp(Watching):
    def operator(self, start: int, end: int) -> None:
        self.found.add(FRAMEWORK, "double", start - (0 if self.running else LATE_NS), 1)


class Backwards(Watching):
    def operator(self, start: int, end: int) -> None:
        if self.running:
            self.found.add(FRAMEWORK, "double", end, start - end)


class Nameless(Watching):
    def operator(self, start: int, end: int) -> None:
        if self.running:
            self.found.add(FRAMEWORK, "", start, end - start)


class NoLevel(Watching):
    def operator(self, start: int, end: int) -> None:
        if self.running:
            self.found.add(9, "double", start, end - start)


class NoObject(Watching):
    def operator(self, start: int, end: int) -> None:
        if self.running:
            self.found.add(FRAMEWORK, "double", start, end - start, attributes="[1]")


class BetweenCalls(Watching):
    def operator(self, start: int, end: int) -> None:
        if self.running:
            self.found.add(FRAMEWORK, "double", start, 3_000_000, thread=1)


class OneOfMany(Watching):
    def operator(self, start: int, end: int) -> None:
        if not len(self.found):
            super().operator(start, end)


class Doubling:
    """Tells its tracer of its one operator."""

    inputs: Any = (TensorSpec("x", "float32", (None, 4)),)
    outputs: Any = (TensorSpec("y", "float32", (None, 4)),)

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        start = monotonic_ns()
        outputs = [batch["x"] * np.float32(2)]
        if self._tracer is not None:
            self._tracer.operator(start, monotonic_ns())
        return outputs

    def close(self) -> Any:
        return ()


class Suite(TracerConformance):
    tracer = "fake-operators"
    framework = "fake"
    calls = 5

    def __init__(self, make: Callable[[TraceRequest], Tracer], unavailable: Any = "") -> None:
        self._make, self._reason = make, unavailable
        self._recorded = {}  # type: ignore[misc]  # of its own, for each fake

    def plugins(self) -> Plugins:
        def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Any:
            return Doubling(trace)

        def register(catalog: Catalog) -> None:
            FrameworkRegistrar(catalog, "fakes").framework("fake", load=load, version=lambda: "1")
            TracerRegistrar(catalog, "fakes").tracer(
                "fake-operators", level="framework", framework="fake", open=self._make, doc="Operators.",
                unavailable=lambda request: self._reason,
            )  # fmt: skip

        return only(register)

    def make_model(self, folder: Path) -> Model:
        return Model("fake", ())


@pytest.mark.parametrize("check", checks_of(Suite))
def test_a_right_tracer_passes(check: str, tmp_path: Path) -> None:
    run_check(Suite(Watching), check, tmp_path)


@pytest.mark.parametrize(
    ("fake", "check", "said"),
    [
        (FailsInEmptyTests, "test_a_test_that_never_came_is_survived", "end() raises RuntimeError where nothing ran"),
        (GivesText, "test_a_test_that_never_came_is_survived", "collect() gives ['str']"),
        (CollectsOnce, "test_it_can_be_asked_twice", "collect() raises TypeError"),
        (RecordsNothing, "test_something_is_recorded", "nothing was recorded of 5 calls"),
        (RecordsWarmUp, "test_spans_lie_within_the_test", "spans lie outside the test, as 'double'"),
        (Backwards, "test_spans_lie_within_the_test", "lasts -"),
        (Nameless, "test_spans_are_described", "a span has no name"),
        (NoLevel, "test_spans_are_described", "a level that is none"),
        (NoObject, "test_spans_are_described", "attributes are '[1]'"),
        (BetweenCalls, "test_operators_lie_within_calls", "0.0% of its operators"),
        (OneOfMany, "test_operators_lie_within_calls", "of 10 calls have operators"),
    ],
)
def test_a_wrong_tracer_fails(fake: type[Watching], check: str, said: str, tmp_path: Path) -> None:
    assert said in fails(Suite(fake), check, tmp_path)


def test_a_reason_is_text_in_one_line(tmp_path: Path) -> None:
    assert "gives None" in fails(Suite(Watching, None), "test_it_is_registered_and_described", tmp_path)


@pytest.mark.parametrize("check", ["test_something_is_recorded", "test_it_can_be_asked_twice"])
def test_a_source_that_is_not_there_is_skipped_with_its_reason(check: str, tmp_path: Path) -> None:
    with pytest.raises(SkipTest, match="no such counters"):
        run_check(Suite(Watching, "no such counters"), check, tmp_path)


class OfTheSystem(TracerConformance):
    """A tracer that belongs to no framework."""

    tracer = "fake-readings"
    only_once = True
    calls = 2

    def plugins(self) -> Plugins:
        class Reading(Watching):
            def end(self) -> None:
                self.found.read("power", "W", monotonic_ns(), 10.0)

        return only(
            lambda catalog: TracerRegistrar(catalog, "fakes").tracer(
                "fake-readings", level="hardware", open=Reading, doc="Power."
            )
        )


SKIPPED = ("test_it_can_be_asked_twice", "test_a_test_that_never_came_is_survived", "test_operators_lie_within_calls")


@pytest.mark.parametrize("check", checks_of(OfTheSystem))
def test_one_without_a_framework(check: str, tmp_path: Path) -> None:
    if check in SKIPPED:
        with pytest.raises(SkipTest):
            run_check(OfTheSystem(), check, tmp_path)
    else:
        run_check(OfTheSystem(), check, tmp_path)
