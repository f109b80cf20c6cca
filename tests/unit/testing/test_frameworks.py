"""Every check of the framework suite can fail: one deliberately wrong framework for each."""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest import SkipTest

import numpy as np
import pytest

from mlharness.errors import UserError
from mlharness.plugins import Plugins
from mlharness.providers import Array, Model, Option, TensorSpec
from mlharness.registrars import Catalog, FrameworkRegistrar
from mlharness.testing import FrameworkConformance, effort, frameworks
from mlharness.testing.growth import growth_over
from tests.unit.testing.broken import checks_of, fails, only, run_check

SPEC_IN = TensorSpec("x", "float32", (None, 4))
SPEC_OUT = TensorSpec("y", "float32", (None, 4))
KEPT: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    KEPT.clear()


class Doubling:
    """A right predictor: gives its input twice as large. The broken ones differ in one thing."""

    inputs: Any = (SPEC_IN,)
    outputs: Any = (SPEC_OUT,)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        if batch["x"].shape[1:] != (4,):
            raise ValueError("not four")
        return [batch["x"] * np.float32(2)]

    def close(self) -> Any:
        return ()


class NoBatchAxis(Doubling):
    outputs = (TensorSpec("y", "f4", ()),)


class OtherDtype(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return [batch["x"].astype(np.float64)]


class Counting(Doubling):
    calls = 0

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        self.calls += 1
        return [batch["x"] + np.float32(self.calls)]


class Mixing(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return [batch["x"] + batch["x"].sum()]


class Overwriting(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        batch["x"] *= np.float32(2)
        return [batch["x"].copy()]


class MainThreadOnly(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("this is not the main thread")
        return super().predict(batch)


class WrongOnThreads(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        main = threading.current_thread() is threading.main_thread()
        return [batch["x"] * np.float32(2 if main else 3)]


class Keeping(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        outputs = super().predict(batch)
        KEPT.append(outputs)
        return outputs


class Clinging(Doubling):
    def __init__(self) -> None:
        KEPT.append(np.zeros(100_000))


class NoSpans(Doubling):
    def close(self) -> Any:
        return None


class Binding(Doubling):
    """Keeps a thread on the first core, as a pool that wants warm caches does."""

    def __init__(self) -> None:
        bound, self.end = threading.Event(), threading.Event()

        def work() -> None:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            bound.set()
            self.end.wait()

        threading.Thread(target=work, daemon=True).start()
        bound.wait()

    def close(self) -> Any:
        self.end.set()
        return ()


class Inventing(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return [batch.get("x", np.zeros((1, 4), np.float32)) * np.float32(2)]


class Reusing(Doubling):
    def __init__(self) -> None:
        self.buffer = np.empty((16, 4), np.float32)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return [np.multiply(batch["x"], np.float32(2), out=self.buffer[: len(batch["x"])])]


class Shapeless(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return [batch["x"] * np.float32(2)]


class Rankless(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return super().predict({"x": np.resize(batch["x"], (len(batch["x"]), 4))} if batch["x"].ndim < 2 else batch)


class Illiterate(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        return [np.zeros(batch["x"].shape, np.float32)] if batch["x"].dtype.kind == "U" else super().predict(batch)


class NativeThreads(Doubling):
    """Threads of which Python knows nothing."""

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        lock = _thread.allocate_lock()
        lock.acquire()
        KEPT.append(lock)
        _thread.start_new_thread(lock.acquire, ())
        return super().predict(batch)


class Looping(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        rows = []
        for row in batch["x"]:
            rows.append(row * np.float32(2))  # noqa: PERF401, RUF100  # the loop is the fault
        return [np.stack(rows)]


class Verbose(Doubling):
    def predict(self, batch: dict[str, Array]) -> list[Array]:
        for _ in range(500):
            pass
        return super().predict(batch)


@dataclass
class Fake:
    """A framework for one test."""

    predictor: Callable[[], Any] = Doubling
    registered: dict[str, Any] = field(default_factory=dict)
    strict: bool = True

    def load(self, model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Any:
        if self.strict and (device != "cpu" or not model.files or not model.files[0].read_text().startswith("good")):
            raise UserError("this cannot be loaded", "Give another.")
        return self.predictor()


class Suite(FrameworkConformance):
    framework = "fake"

    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    def plugins(self) -> Plugins:
        given: dict[str, Any] = {"load": self.load_fake, "version": lambda: "1.0", **self.fake.registered}
        return only(lambda catalog: register(catalog, given))

    def load_fake(self, model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Any:
        try:
            return self.fake.load(model, device, options, trace)
        except (OSError, ValueError) as error:
            raise UserError(f"the model cannot be read: {error}", "Give another.") from error

    def make_model(self, folder: Path) -> Model:
        file = folder / "model.txt"
        file.write_text("good", "utf-8")
        return Model("fake", (file,))


def register(catalog: Catalog, given: dict[str, Any]) -> None:
    FrameworkRegistrar(catalog, "fakes").framework("fake", **given)


WIDE: dict[str, Any] = {"options": (Option("width", "integer", "Threads.", 0),), "threads": "width"}
WRONG = [
    ("test_it_is_registered_and_described", Fake(registered={"version": lambda: 1}), "version() is 1"),
    ("test_it_is_registered_and_described", Fake(registered={"devices": lambda: ["tpu"]}), "without 'cpu'"),
    (
        "test_it_is_registered_and_described",
        Fake(registered={"options": (Option("level", "integer", ""),)}),
        "option 'level' has no doc",
    ),
    (
        "test_it_is_registered_and_described",
        Fake(registered={"options": (Option("level", "integer", "How far.", "high"),)}),
        "must be of type integer",
    ),
    ("test_discovery_imports_no_framework", Fake(registered={"requirement": "colorsys>=1"}), "imports colorsys"),
    ("test_tensors_are_described", Fake(NoBatchAxis), "the dtype 'f4'"),
    ("test_outputs_are_as_declared", Fake(OtherDtype), "is float64"),
    ("test_the_same_batch_gives_the_same_outputs", Fake(Counting), "two different outputs"),
    ("test_each_row_belongs_to_its_sample", Fake(Mixing), "other outputs alone"),
    ("test_the_batch_stays_as_it_was", Fake(Overwriting), "writes into its batch"),
    ("test_predictors_work_side_by_side", Fake(MainThreadOnly), "not the main thread"),
    ("test_predictors_work_side_by_side", Fake(WrongOnThreads), "wrong outputs"),
    ("test_a_thousand_predictions_leak_nothing", Fake(Keeping), "bytes allocated through Python"),
    ("test_close_gives_back_what_load_took", Fake(Clinging), "bytes allocated through Python"),
    ("test_close_gives_back_what_load_took", Fake(NoSpans), "close returns NoneType"),
    ("test_a_device_that_is_not_there_is_a_user_error", Fake(strict=False), "raises nothing"),
    ("test_bad_models_are_user_errors", Fake(strict=False), "raises nothing"),
    ("test_outputs_outlive_the_next_prediction", Fake(Reusing), "changes earlier outputs"),
    ("test_wrong_batches_are_refused", Fake(Shapeless), "answers a batch of x float32 [9, 5]"),
    ("test_wrong_batches_are_refused", Fake(Rankless), "answers a batch of x float32 [9]"),
    ("test_wrong_batches_are_refused", Fake(Illiterate), "answers a batch of x <U4 [9, 4]"),
    ("test_one_thread_is_one_core", Fake(registered=WIDE), "uses 3.7 cores with width = 1"),
    ("test_no_thread_is_bound_to_a_core", Fake(Binding), "binds 1 threads to the cores"),
    ("test_a_batch_without_its_inputs_is_refused", Fake(Inventing), "has no input"),
    ("test_overhead_does_not_grow_with_the_batch", Fake(Looping), "lines for one sample"),
    ("test_overhead_does_not_grow_with_the_batch", Fake(Verbose), "lines of Python"),
]


@pytest.fixture
def _eager_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed plugin whose import imports colorsys, which stands for a framework here."""
    site = tmp_path / "site"
    info = site / "eager-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "mlh_eager.py").write_text("import colorsys\n", "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: eager\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[mlharness]\neager = mlh_eager\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)


@pytest.fixture
def _busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a predictor with threads of its own would use; a busy machine would not let a real one have it."""
    monkeypatch.setattr(frameworks, "cores_used", lambda call, seconds: call() and 3.7)
    monkeypatch.setattr(frameworks, "usable_cores", lambda: (0, 1))


@pytest.mark.usefixtures("_eager_plugin", "_busy")
@pytest.mark.parametrize(("check", "fake", "said"), WRONG)
def test_wrong_framework_fails(check: str, fake: Fake, said: str, tmp_path: Path) -> None:
    assert said in fails(Suite(fake), check, tmp_path)


@pytest.mark.parametrize("check", checks_of(FrameworkConformance))
def test_right_framework_passes(check: str, tmp_path: Path) -> None:
    run_check(Suite(Fake()), check, tmp_path)


def test_threads_that_python_does_not_know_are_a_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlharness.testing.growth.WARM_UP_CALLS", 1)
    try:
        left = growth_over(lambda: NativeThreads().predict({"x": np.zeros((1, 4), np.float32)}), 5)
    finally:
        for lock in KEPT:
            lock.release()
    assert "5 threads" in left


def test_one_thread_is_asked_for_whatever_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Noting(Fake):
        def load(self, model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Any:
            asked.append(options["width"])
            return super().load(model, device, options, trace)

    monkeypatch.setattr(frameworks, "cores_used", lambda call, seconds: 1.2)
    run_check(Suite(Noting(registered=WIDE)), "test_one_thread_is_one_core", tmp_path)
    assert asked == [1]
    suite = Suite(Noting(registered=WIDE))
    suite.options = {"width": 2}
    run_check(suite, "test_one_thread_is_one_core", tmp_path)
    assert asked == [1], "a test that asks for two threads promises nothing"


def test_cores_are_processor_time_over_wall_time(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(effort, "perf_counter", lambda: 0.1 * len(calls))
    monkeypatch.setattr(effort, "process_time", lambda: 0.25 * len(calls))
    assert effort.cores_used(lambda: calls.append(1), 0.95) == pytest.approx(2.5)
    assert len(calls) == 10


def test_what_is_not_given_is_skipped_and_said(tmp_path: Path) -> None:
    class Silent(Suite):
        def bad_models(self, folder: Path) -> Sequence[Model]:
            return ()

        def wrong_batches(self, inputs: Sequence[TensorSpec], count: int) -> Sequence[Mapping[str, Array]]:
            return ()

    for check, said in (("bad_models_are_user_errors", "bad_models"), ("wrong_batches_are_refused", "wrong_batches")):
        with pytest.raises(SkipTest, match=f"define {said}"):
            run_check(Silent(Fake()), f"test_{check}", tmp_path)


def test_every_check_has_a_wrong_framework() -> None:
    assert {check for check, _, _ in WRONG} == set(checks_of(FrameworkConformance))


def test_a_model_with_one_batch_size_is_checked_with_it(tmp_path: Path) -> None:
    class Pair(Doubling):
        inputs: Sequence[TensorSpec] = (TensorSpec("x", "float32", (2, 4)),)

    suite = Suite(Fake(Pair))
    assert suite.sizes(cast(Any, Pair())) == (2, 2)
    for check in checks_of(FrameworkConformance):
        run_check(suite, check, tmp_path)


def test_another_load_that_differs_is_told(tmp_path: Path) -> None:
    loads = iter(range(1, 9))

    class Drifting(Doubling):
        def __init__(self) -> None:
            self.factor = np.float32(next(loads))

        def predict(self, batch: dict[str, Array]) -> list[Array]:
            return [batch["x"] * self.factor]

    message = fails(Suite(Fake(Drifting)), "test_the_same_batch_gives_the_same_outputs", tmp_path)
    assert "another load of the model" in message


def test_the_model_must_be_given() -> None:
    with pytest.raises(NotImplementedError, match="define make_model"):
        FrameworkConformance().make_model(Path())


def test_a_framework_that_is_not_there_is_named() -> None:
    class Missing(FrameworkConformance):
        framework = "nul"

    with pytest.raises(UserError, match="no framework is named 'nul'"):
        Missing().provider()
