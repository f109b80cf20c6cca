"""Works for a while and then does what it is told: a framework, a data set, steps, metrics, a source, an executor.

The file that MLH_FAKE_MARK names is made at the moment of the fault, so that a test can tell what came before it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlharness import hookimpl
from mlharness.providers import (
    Array,
    Arrays,
    Context,
    Model,
    Option,
    ResponseSpec,
    Score,
    SourceProvider,
    StepFunction,
    TensorSpec,
)
from mlharness.registrars import (
    DataSetRegistrar,
    FrameworkRegistrar,
    MetricRegistrar,
    SourceRegistrar,
    StepRegistrar,
)


def mark() -> None:
    """Note that the fault has come: the file's time is that of the first."""
    name = os.environ.get("MLH_FAKE_MARK")
    if name and not Path(name).exists():
        Path(name).touch()


def explode(outputs: list[Array]) -> list[Array]:
    raise ValueError("no more")


def leave(outputs: list[Array]) -> list[Array]:
    os._exit(0)


def give_up(outputs: list[Array]) -> list[Array]:
    os.abort()


def crash(outputs: list[Array]) -> list[Array]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return sleep(outputs)


def die(outputs: list[Array]) -> list[Array]:
    os.kill(os.getpid(), signal.SIGKILL)
    return outputs


def leave_in_peace(outputs: list[Array]) -> list[Array]:
    raise SystemExit(0)


def interrupt(outputs: list[Array]) -> list[Array]:
    raise KeyboardInterrupt


def leave_children(outputs: list[Array]) -> list[Array]:
    """Raise, with one child in this process's group and one in a session of its own."""
    subprocess.Popen(["sleep", "3600"])  # noqa: S607  # wherever sleep is
    subprocess.Popen(["sleep", "3600"], start_new_session=True)  # noqa: S607  # the same
    return explode(outputs)


def sleep(outputs: list[Array]) -> list[Array]:
    time.sleep(3600)
    return outputs


def sleep_in_one(outputs: list[Array]) -> list[Array]:
    """Hang in the first instance that comes here; the others go on."""
    if HANGING.acquire(blocking=False):
        return sleep(outputs)
    return outputs


HANGING = threading.Lock()


def fill(outputs: list[Array]) -> list[Array]:
    """Fill the disk of the folder that MLH_FAKE_FILL names, and go on."""
    path = Path(os.environ["MLH_FAKE_FILL"]) / f"filler-{os.getpid()}"
    try:
        with path.open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                while file.write(bytes(size)) == size:
                    pass
    except OSError:
        pass  # full
    return outputs


def explode_in_a_later_run(outputs: list[Array]) -> list[Array]:
    """Raise once an earlier run has a result in the folder that MLH_FAKE_RUNS names."""
    return explode(outputs) if list(Path(os.environ["MLH_FAKE_RUNS"]).glob("*/result.json")) else outputs


def same(outputs: list[Array]) -> list[Array]:
    return outputs


def scale_by_process(least: float) -> Callable[[list[Array]], list[Array]]:
    """Multiply by a factor that is another one in each process: between ``least`` and 1."""
    factor = np.float32(least + (1 - least) * (os.getpid() % 97) / 97)
    return lambda outputs: [output * factor for output in outputs]


FAULTS: dict[str, Callable[[list[Array]], list[Array]]] = {
    "raise": explode,
    "raise-in-a-later-run": explode_in_a_later_run,
    "exit": leave,
    "abort": give_up,
    "segfault": crash,
    "kill": die,
    "sys-exit": leave_in_peace,
    "keyboard-interrupt": interrupt,
    "children": leave_children,
    "hang": sleep,
    "hang-in-one": sleep_in_one,
    "fill": fill,
    "not-finite": lambda outputs: [output * np.nan for output in outputs],
    "too-few-rows": lambda outputs: [output[:0] for output in outputs],
    "other-dtype": lambda outputs: [output.astype(np.float64) for output in outputs],
    "other-shape": lambda outputs: [np.repeat(output, 2, axis=1) for output in outputs],
    "no-outputs": lambda outputs: [],
    "one-too-many": lambda outputs: [*outputs, *outputs],
    "another-model": scale_by_process(0.0),
    "rounds-otherwise": scale_by_process(0.9999),
    "twice": same,
    "never": same,
}


class Tests:
    """Knows since when LoadGen's test goes on in this process: warm-up and calibration take as long as they like."""

    began: float | None = None

    @classmethod
    def watch(cls) -> None:
        """Learn of the test's beginning from the workers."""
        from mlharness.runner.worker import Worker

        whole = Worker.begin_test

        def begin_test(self: Any) -> None:
            cls.began = time.monotonic()
            whole(self)

        Worker.begin_test = begin_test  # type: ignore[method-assign]  # a fake, and the last to be loaded

    @classmethod
    def lasts(cls, seconds: float) -> bool:
        """True when the test has gone on for so long; at once for no time at all."""
        return not seconds or (cls.began is not None and time.monotonic() >= cls.began + seconds)


class FailingPredictor:
    """Answers ones, not too fast, until LoadGen's test has lasted for so long, and for so many calls at least."""

    def __init__(self, model: Model, options: Mapping[str, Any]) -> None:
        self.inputs, self.outputs = model.inputs, [TensorSpec("y", "float32", (None, 1))]
        self._fault, self._after_s = FAULTS[options["fault"]], options["after_s"]
        self._calls_left, self._once, self._over = options["after_calls"], options["once"], False

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        time.sleep(1e-4)
        outputs: list[Array] = [np.ones((len(next(iter(batch.values()))), 1), np.float32)]
        self._calls_left -= 1
        if self._calls_left >= 0 or self._over or not Tests.lasts(self._after_s):
            return outputs
        mark()
        self._over = self._once
        return self._fault(outputs)

    def close(self) -> Sequence[Any]:
        return ()


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> FailingPredictor:
    if options["fault"] in ("twice", "never"):
        break_executors(2 if options["fault"] == "twice" else 0)
    if options["in_load"]:
        mark()
        FAULTS[options["fault"]]([])
    Tests.watch()
    return FailingPredictor(model, options)


def break_executors(times: int) -> None:
    """Let this process's executors take each query of LoadGen so many times; calibration is left alone."""
    from mlharness.runner import executors, loadgen

    def breaking(kind: Any) -> Callable[..., None]:
        whole = kind.issue

        def issue(self: Any, ids: list[int], indices: list[int]) -> None:
            in_test = self.workers[0].complete is loadgen.complete
            if in_test:
                mark()
            if in_test and times == 2 and len(ids) > 1:
                # Offline's one query: were it whole twice, LoadGen would be gone before the second had been answered.
                whole(self, [ids[0], *ids], [indices[0], *indices])
                return
            for _ in range(times if in_test else 1):
                whole(self, list(ids), list(indices))

        return issue

    kinds: list[Any] = [executors.InlineExecutor, executors.SlicingExecutor, executors.BatchingExecutor]
    for kind in kinds:
        kind.issue = breaking(kind)


def version() -> str:
    return "1"


def make_raise(after_s: float) -> StepFunction:
    """Raises on every sample, once LoadGen's test has lasted for so long."""

    def step(arrays: Arrays, context: Context) -> Arrays:
        if not Tests.lasts(after_s):
            return arrays
        mark()
        raise ValueError("not today")

    return step


class FailingDataSet:
    """Zeros, but for one sample that cannot be had."""

    def __init__(self, count: int | None, bad: int) -> None:
        self._count, self._bad = count or 200, bad

    def __len__(self) -> int:
        return self._count

    def check(self) -> None:
        """There are no files."""

    def sample(self, index: int) -> Arrays:
        if index == self._bad:
            mark()
            raise ValueError("torn")
        return (np.zeros(16, np.float32),)

    def label(self, index: int) -> int:
        return 0


def open_failing(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> FailingDataSet:
    return FailingDataSet(count, options["bad"])


def score_for_ever(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """Never ends."""
    while True:
        time.sleep(1)


def score_raising(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """Raises."""
    mark()
    raise ValueError("no opinion")


def locate_never(uri: str, sha256: str | None) -> None:
    """Nothing is here yet."""


def fetch_for_ever(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    """Never ends."""
    while True:
        time.sleep(1)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    for name, score in (("fake.endless", score_for_ever), ("fake.raise", score_raising)):
        registrar.metric(name, score=score, response=lambda options: ResponseSpec("float32", (1,)))


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    options = (
        Option("fault", "string", "What happens.", default="raise", choices=tuple(FAULTS)),
        Option("after_s", "number", "How long LoadGen's test goes well before, seconds.", default=0.0),
        Option("once", "boolean", "Whether it happens in one call of each instance only.", default=False),
        Option("after_calls", "integer", "How many calls it works before.", default=0),
        Option("in_load", "boolean", "Whether it happens when the model is loaded.", default=False),
    )
    registrar.framework("failing", load=load, version=version, options=options)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    bad = Option("bad", "integer", "The sample that cannot be had.", default=100)
    registrar.dataset("fake.torn", open=open_failing, options=(bad,))


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    after = Option("after_s", "number", "How long LoadGen's test goes well before, seconds.", default=0.0)
    registrar.step("fake.raise", make_raise, parameters=(after,))


@hookimpl
def mlh_register_sources(registrar: SourceRegistrar) -> None:
    registrar.source(SourceProvider("endless", locate_never, fetch_for_ever))
