"""A framework that works for a while and then does what it is told; a step that raises, a metric that never ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlharness import hookimpl
from mlharness.providers import Array, Arrays, Context, Model, Option, ResponseSpec, Score, StepFunction
from mlharness.registrars import FrameworkRegistrar, MetricRegistrar, StepRegistrar


def explode(outputs: list[Array]) -> list[Array]:
    raise ValueError("no more")


def leave(outputs: list[Array]) -> list[Array]:
    os._exit(0)


def crash(outputs: list[Array]) -> list[Array]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return outputs


def sleep(outputs: list[Array]) -> list[Array]:
    time.sleep(3600)
    return outputs


FAULTS: dict[str, Callable[[list[Array]], list[Array]]] = {
    "raise": explode,
    "exit": leave,
    "segfault": crash,
    "hang": sleep,
    "not-finite": lambda outputs: [output * np.nan for output in outputs],
    "too-few-rows": lambda outputs: [output[:0] for output in outputs],
    "other-dtype": lambda outputs: [output.astype(np.float64) for output in outputs],
    "no-outputs": lambda outputs: [],
}


class FailingPredictor:
    """Answers ones, not too fast, until so many seconds after it was loaded."""

    def __init__(self, model: Model, fault: str, after_s: float) -> None:
        self.inputs, self.outputs = model.inputs, model.outputs
        self._fault, self._from = FAULTS[fault], time.monotonic() + after_s

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        time.sleep(1e-4)
        count = len(next(iter(batch.values())))
        outputs: list[Array] = [np.ones((count, 1), np.float32)]
        return self._fault(outputs) if time.monotonic() >= self._from else outputs

    def close(self) -> Sequence[Any]:
        return ()


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> FailingPredictor:
    return FailingPredictor(model, options["fault"], options["after_s"])


def version() -> str:
    return "1"


def make_raise() -> StepFunction:
    """Raises on every sample."""

    def step(arrays: Arrays, context: Context) -> Arrays:
        raise ValueError("not today")

    return step


def score_for_ever(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """Never ends."""
    while True:
        time.sleep(1)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    registrar.metric("fake.endless", score=score_for_ever, response=lambda options: ResponseSpec("float32", (1,)))


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    fault = Option("fault", "string", "What happens.", default="raise", choices=tuple(FAULTS))
    after = Option("after_s", "number", "How long it works before, seconds.", default=0.0)
    registrar.framework("failing", load=load, version=version, options=(fault, after))


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    registrar.step("fake.raise", make_raise)
