"""A worker: every promise is checked in warm-up, and each answer is the right sample's."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest

from mlharness.errors import RunError
from mlharness.providers import Array, Arrays, TensorSpec
from mlharness.runner import loadgen
from mlharness.runner import worker as worker_module
from mlharness.runner.pipeline import Pipeline
from mlharness.runner.worker import LOOK_EVERY_NS, Worker, check_finite, check_outputs, takes_one
from tests.unit.runner.making import AFTER, FakeDataSet, FakePredictor, Y, a_library, a_metric, a_plan, step

FREE = TensorSpec("y", "float32", (None, None))


class Case:
    """A worker over loaded samples 0 to 9, and what it completed: bytes by id."""

    def __init__(
        self,
        predictor: FakePredictor | None = None,
        postprocess: Pipeline = AFTER,
        sample: Callable[[int], Arrays] | None = None,
        inputs: Sequence[TensorSpec] = (TensorSpec("x", "float32", (None, None)),),
        number: int = 0,
        **plan: Any,
    ) -> None:
        self.predictor = predictor or FakePredictor()
        self.completed: dict[int, bytes] = {}
        self.counters = memoryview(bytearray(8 * 8)).cast("q")
        self.busy = memoryview(bytearray(8 * 8)).cast("q")
        library = a_library(FakeDataSet(10, sample), inputs=inputs)
        library.load(range(10))
        self.worker = Worker(number, self.predictor, library, postprocess, a_plan(**plan), self.counters, self.busy)
        self.worker.library_changed()
        self.worker.complete = self._complete

    def _complete(self, responses: Sequence[Any]) -> None:
        for response in responses:
            assert response.id not in self.completed, "completed twice"
            self.completed[response.id] = ctypes.string_at(response.data, response.size)

    def values(self) -> dict[int, list[float]]:
        return {id_: np.frombuffer(data, np.float32).tolist() for id_, data in self.completed.items()}


class TestAnswers:
    """The timed path."""

    def test_bytes_belong_to_their_samples(self) -> None:
        case = Case()
        case.worker.warm_up([0, 1])
        case.worker.answer([70, 71, 72], [4, 2, 9])
        case.worker.answer([80], [3])
        assert case.values() == {70: [444.0, 4.0], 71: [222.0, 2.0], 72: [999.0, 9.0], 80: [333.0, 3.0]}

    def test_warm_up_completes_nothing(self) -> None:
        case = Case()
        case.worker.warm_up([0, 1])
        assert case.completed == {}
        assert case.predictor.batches == [[0.0, 1.0]]

    def test_postprocessing_is_part_of_the_answer(self) -> None:
        largest = step(lambda array: array.argmax(axis=1).astype(np.float32)[:, None], batch=True)
        case = Case(postprocess=Pipeline("postprocess", (largest,), {}, {}), metric=a_metric())
        case.worker.warm_up([0])
        case.worker.answer([5, 6], [1, 2])
        assert case.values() == {5: [0.0], 6: [0.0]}

    def test_completed_samples_are_counted_in_the_workers_own_slot(self) -> None:
        case = Case(number=3)
        case.worker.warm_up([0, 1])
        before = case.counters[3]
        case.worker.answer([1, 2, 3], [1, 2, 3])
        assert case.counters[3] - before == 3
        assert sum(case.counters) == case.counters[3]

    def test_the_clocks_begin_with_the_test(self) -> None:
        case = Case()
        case.worker.warm_up([0])
        case.worker.answer([1], [1])
        worker = case.worker
        assert min(worker.predict_ns, worker.postprocess_ns, worker.after_ns, worker.batches) > 0
        assert worker.harness_ns > worker.after_ns
        worker.begin_test()
        assert (worker.predict_ns, worker.postprocess_ns, worker.harness_ns, worker.batches) == (0, 0, 0, 0)
        assert worker.complete is loadgen.complete

    def test_ragged_samples_are_answered_in_batches_of_equal_shapes(self) -> None:
        case = Case(sample=lambda index: (np.full(1 + index % 2, index, np.float32),))
        case.worker.warm_up([0])
        case.worker.answer([10, 11, 12, 13], [0, 1, 2, 3])
        assert case.predictor.batches[1:] == [[0.0, 2.0], [1.0, 3.0]]
        assert case.values() == {10: [0.0, 0.0], 12: [2.0, 2.0], 11: [2.0, 1.0], 13: [6.0, 3.0]}

    def test_closing_closes_the_predictor(self) -> None:
        case = Case()
        case.worker.close()
        assert case.predictor.closed


class TestFailures:
    """Nothing is answered that was not computed."""

    def test_a_predictor_that_raises_is_named_with_plugin_instance_and_samples(self) -> None:
        def fail(outputs: list[Array]) -> Any:
            raise ValueError("out of memory")

        case = Case(FakePredictor(fail), number=2)
        with pytest.raises(
            RunError, match=r"builtin-null: predict failed in instance 2 on samples \[3, 4\]: ValueError"
        ):
            case.worker.warm_up([3, 4])
        assert case.completed == {}

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda outputs: [outputs[0][:1]], "has 1 rows for a batch of 2"),
            (lambda outputs: [np.concatenate([outputs[0]] * 2)], "has 4 rows"),
            (lambda outputs: [outputs[0].astype(np.float64)], "is float64"),
            (lambda outputs: [outputs[0][:, :1]], r"has the shape \[2, 1\]"),
        ],
    )
    def test_outputs_that_change_in_the_test_fail_it_at_once(
        self, spoil: Callable[[list[Array]], list[Array]], words: str
    ) -> None:
        predictor = FakePredictor(lambda outputs: spoil(outputs) if len(predictor.batches) > 1 else outputs)
        case = Case(predictor)
        case.worker.warm_up([0, 1])
        with pytest.raises(RunError, match=rf"builtin-null: instance 0 on samples \[1, 2\]: output 'y' {words}"):
            case.worker.answer([1, 2], [1, 2])
        assert set(case.completed) <= {1, 2}, "this batch may be completed before it is looked at, and no other"

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_numbers_that_are_not_finite_in_warm_up(self, value: float) -> None:
        def spoil(outputs: list[Array]) -> list[Array]:
            outputs[0][-1, 0] = value
            return outputs

        with pytest.raises(RunError, match=r"instance 0 on samples \[0, 1\]: output 'y' is not finite") as caught:
            Case(FakePredictor(spoil)).worker.warm_up([0, 1])
        assert "allow_non_finite" in caught.value.remedy
        Case(FakePredictor(spoil), model={"allow_non_finite": True}).worker.warm_up([0, 1])

    @pytest.mark.parametrize("allowed", [False, True])
    def test_numbers_that_are_not_finite_in_the_test_are_found_at_once(self, allowed: bool) -> None:
        predictor = FakePredictor(lambda outputs: [outputs[0] * (np.nan if len(predictor.batches) > 1 else 1)])
        case = Case(predictor, model={"allow_non_finite": allowed})
        case.worker.warm_up([0])
        if allowed:
            case.worker.answer([1], [1])
            case.worker.check_last()
        else:
            with pytest.raises(RunError, match=r"samples \[1\]: output 'y' is not finite"):
                case.worker.answer([1], [1])

    def test_the_last_outputs_are_looked_at_whatever_was_looked_at_before(self) -> None:
        case = Case(predictor := FakePredictor(lambda outputs: [outputs[0] * (np.nan if bad else 1)]))
        bad = False
        case.worker.warm_up([0])
        for id_ in range(1000):
            bad = id_ > 990
            case.worker.answer([id_], [0])
        assert len(predictor.batches) == 1001
        with pytest.raises(RunError, match="not finite"):
            case.worker.check_last()

    def test_outputs_are_looked_at_now_and_then_the_first_among_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looked = []
        monkeypatch.setattr(worker_module, "check_finite", lambda outputs, specs: looked.append(outputs))
        case = Case()
        case.worker.warm_up([0])
        for id_ in range(2000):
            case.worker.answer([id_], [id_ % 10])
        assert 5 <= len(looked) <= 60

    def test_within_about_a_second_one_is_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        case = Case(predictor := FakePredictor(lambda outputs: [outputs[0] * (np.nan if bad else 1)]))
        bad = False
        case.worker.warm_up([0])
        for id_ in range(200):
            case.worker.answer([id_], [0])
        bad = True
        monkeypatch.setattr(worker_module, "perf_counter_ns", lambda: perf_counter_ns() + 2 * LOOK_EVERY_NS)
        with pytest.raises(RunError, match="not finite"):
            case.worker.answer([200], [0])
        assert len(predictor.batches) == 202

    def test_a_predictor_that_leaves_the_process_has_failed(self) -> None:
        def leave(outputs: list[Array]) -> Any:
            raise SystemExit(0)

        with pytest.raises(RunError, match=r"builtin-null: predict failed in instance 0 .*SystemExit: 0"):
            Case(FakePredictor(leave)).worker.warm_up([0])

    def test_marks_say_since_when_and_with_what_it_is_busy(self) -> None:
        seen = []

        def look(outputs: list[Array]) -> list[Array]:
            seen.append(case.busy[1])
            return outputs

        case = Case(FakePredictor(look), number=1)
        before = perf_counter_ns()
        case.worker.warm_up([0])
        case.worker.answer([1], [0])
        assert all(before - 2 < mark <= perf_counter_ns() and mark % 2 == 0 for mark in seen)
        assert list(case.busy) == [0] * 8


GOOD = np.zeros((2, 2), np.float32)


@pytest.mark.parametrize(
    ("outputs", "manifest", "words"),
    [
        (GOOD, (), "predict returns ndarray, and must return a list of NumPy arrays"),
        ((GOOD,), (), "predict returns tuple"),
        ([GOOD.tolist()], (), "predict returns list, and must"),
        ([], (), "predict gives 0 outputs, and the predictor declares 1"),
        ([GOOD, GOOD], (), "predict gives 2 outputs"),
        ([GOOD.astype(np.float64)], (), "output 'y' is float64, and the predictor declares float32"),
        ([GOOD[0]], (), r"output 'y' has the shape \[2\], and the predictor declares \[None, None\]"),
        ([GOOD[:1]], (), "output 'y' has 1 rows for a batch of 2"),
        ([GOOD], (TensorSpec("y", "float32", (None, 5)),), r"shape \[2, 2\], and the manifest declares \[None, 5\]"),
        ([GOOD], (TensorSpec("y", "int64", (None, 2)),), "the manifest declares int64"),
        ([GOOD], (Y, Y), "the manifest declares 2"),
    ],
)
def test_outputs_that_break_a_promise(outputs: object, manifest: Sequence[TensorSpec], words: str) -> None:
    with pytest.raises(RunError, match=words):
        check_outputs(outputs, (FREE,), manifest, 2)


def test_outputs_that_keep_every_promise() -> None:
    check_outputs([GOOD], (FREE,), (Y,), 2)
    check_outputs([GOOD], (TensorSpec("y", "float32", (8, 2)),), (), 2)  # the batch axis is the batch's
    check_outputs([GOOD], (), (), 2)
    check_outputs([GOOD], (TensorSpec("y", "", ()),), (TensorSpec("y", "", (None, 2)),), 2)  # what is left open


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_a_model_that_takes_one_sample_may_leave_the_batch_axis_out(rows: int) -> None:
    found = [np.zeros((rows, 2), np.float32)]
    check_outputs(found, (FREE,), (TensorSpec("y", "float32", (None, 2)),), 1, one=True)
    check_outputs(found, (TensorSpec("y", "float32", (rows, 2)),), (), 1, one=True)
    if rows != 1:
        for one, promised in ((False, FREE), (True, TensorSpec("y", "float32", (1, None)))):
            with pytest.raises(RunError, match=f"has {rows} rows for a batch of 1"):
                check_outputs(found, (promised,), (), 1, one)


@pytest.mark.parametrize(
    ("shapes", "one"),
    [([(1, 3)], True), ([(1, 3), (1,)], True), ([(1,), (None,)], False), ([(2, 3)], False), ([], False)],
)
def test_a_model_takes_one_sample_when_every_batch_axis_is_fixed_at_one(
    shapes: Sequence[tuple[int | None, ...]], one: bool
) -> None:
    assert takes_one([TensorSpec("x", "float32", shape) for shape in shapes]) is one


def test_only_numbers_that_can_be_not_finite_are_looked_at() -> None:
    check_finite([np.zeros(2, np.int64), np.ones(2, np.float16), np.array([True])], (Y, Y, Y))
    other = TensorSpec("other", "float16", (None,))
    for bad in (np.array([np.inf], np.float16), np.array([complex(0, np.nan)])):
        with pytest.raises(RunError, match="output 'other' is not finite"):
            check_finite([np.zeros(2), bad], (Y, other))


@pytest.mark.parametrize("spoil", [lambda outputs: outputs, lambda outputs: [outputs[0][:, :1]]])
def test_a_step_that_fails_is_blamed_only_for_outputs_that_were_as_promised(
    spoil: Callable[[list[Array]], list[Array]],
) -> None:
    def second_column(array: Array) -> Array:
        if len(predictor.batches) > 1:
            raise IndexError("no second column")
        return array[:, 1:]

    predictor = FakePredictor(lambda outputs: spoil(outputs) if len(predictor.batches) > 1 else outputs)
    case = Case(predictor, Pipeline("postprocess", (step(second_column, batch=True),), {}, {}))
    case.worker.warm_up([0])
    sound = spoil([GOOD])[0] is GOOD
    with pytest.raises(RunError, match="step 'fake.step' failed" if sound else "output 'y' has the shape"):
        case.worker.answer([1], [1])
