"""Executors: every sample is answered exactly once, on the threads that loaded the predictors, in allowed batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.plan import RunPlan
from mlharness.runner.executors import (
    BatchingExecutor,
    Executor,
    InlineExecutor,
    SlicingExecutor,
    SortingExecutor,
    make_executor,
)
from mlharness.runner.library import SampleLibrary
from mlharness.runner.worker import Worker
from tests.unit.runner.making import a_plan

Answer = Callable[[list[int], list[int]], None]


class FakeWorker:
    """Keeps the batches that it was given, and the threads that called it."""

    def __init__(self, number: int, answer: Answer) -> None:
        self.number = number
        self.batches: list[tuple[list[int], list[int]]] = []
        self.threads = {threading.current_thread()}
        self._answer = answer

    def answer(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        self.threads.add(threading.current_thread())
        self.batches.append((list(ids), list(indices)))
        self._answer(list(ids), list(indices))


class FakeLibrary:
    """Only what the sorting executor asks."""

    def __init__(self, ragged: bool) -> None:
        self.ragged = ragged

    def shape_key(self, index: int) -> tuple[int, ...]:
        return (index % 3,)


class Case:
    """An executor with fake workers, and the errors that it reported."""

    def __init__(self, plan: RunPlan, answer: Answer = lambda ids, indices: None, ragged: bool = False) -> None:
        self.errors: list[BaseException] = []
        library = cast("SampleLibrary", FakeLibrary(ragged))
        make = cast("Callable[[int], Worker]", lambda number: FakeWorker(number, answer))
        self.executor: Executor = make_executor(plan, library, make, self.errors.append)

    @property
    def workers(self) -> list[FakeWorker]:
        return cast("list[FakeWorker]", self.executor.workers)

    @property
    def batches(self) -> list[tuple[list[int], list[int]]]:
        return [batch for worker in self.workers for batch in worker.batches]

    def answered(self) -> list[tuple[int, int]]:
        """Every (id, index) that was answered, sorted."""
        return sorted(pair for batch in self.batches for pair in zip(*batch, strict=True))

    def serve(self, *queries: tuple[list[int], list[int]]) -> None:
        self.executor.serve()
        for ids, indices in queries:
            self.executor.issue(list(ids), list(indices))
        self.executor.finish()


def plan(scenario: str, instances: int = 2, batch_size: int = 4, max_wait_us: int = 0) -> RunPlan:
    return a_plan(test={"scenario": scenario}, host={"instances": instances}, batching=(batch_size, max_wait_us))


def singles(count: int) -> list[tuple[list[int], list[int]]]:
    return [([100 + number], [number % 7]) for number in range(count)]


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("SingleStream", InlineExecutor), ("MultiStream", SlicingExecutor), ("Server", BatchingExecutor),
        ("Offline", SortingExecutor),
    ],
)  # fmt: skip
def test_each_scenario_has_its_executor(scenario: str, kind: type) -> None:
    case = Case(plan(scenario))
    assert type(case.executor) is kind
    assert len(case.workers) == (1 if scenario == "SingleStream" else 2)


@pytest.mark.parametrize("scenario", ["MultiStream", "Server", "Offline"])
def test_a_worker_lives_on_one_thread_of_its_own(scenario: str) -> None:
    """Loading, each(), first() and answering."""
    case = Case(plan(scenario, instances=3))
    case.executor.each(lambda worker: cast("FakeWorker", worker).threads.add(threading.current_thread()))
    case.executor.first(lambda worker: cast("FakeWorker", worker).threads.add(threading.current_thread()))
    case.serve(*singles(50))
    threads = [worker.threads for worker in case.workers]
    assert [len(found) for found in threads] == [1, 1, 1]
    assert len(set.union(*threads)) == 3
    assert threading.current_thread() not in set.union(*threads)


def test_single_stream_runs_on_the_calling_thread() -> None:
    case = Case(plan("SingleStream"))
    case.serve(*singles(3))
    assert case.workers[0].threads == {threading.current_thread()}
    assert case.answered() == [(100, 0), (101, 1), (102, 2)]


@pytest.mark.parametrize("scenario", ["MultiStream", "Offline"])
@given(sizes=st.lists(st.integers(1, 50), max_size=4), instances=st.integers(1, 4), batch_size=st.integers(1, 16))
def test_slices_hold_every_sample_once_and_are_no_larger_than_a_batch(
    scenario: str, sizes: list[int], instances: int, batch_size: int
) -> None:
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    queries = [(list(range(s, s + n)), list(range(n))) for s, n in zip(starts, sizes, strict=True)]
    case = Case(plan(scenario, instances, batch_size))
    case.serve(*queries)
    expected = sorted(pair for ids, indices in queries for pair in zip(ids, indices, strict=True))
    assert case.answered() == expected
    assert case.errors == []
    full = sum(-(-n // batch_size) for n in sizes)
    assert len(case.batches) == full, "no batch is smaller than it must be"


def test_one_querys_slices_are_shared_among_the_workers() -> None:
    """A worker that is busy does not keep the others from what is left."""
    both = threading.Barrier(2)
    first = threading.local()

    def meet(ids: list[int], indices: list[int]) -> None:
        if not getattr(first, "met", False):
            first.met = True
            both.wait(timeout=20)

    case = Case(plan("MultiStream", instances=2, batch_size=1), meet)
    case.serve((list(range(8)), list(range(8))))
    assert all(worker.batches for worker in case.workers)
    assert len(case.answered()) == 8


def test_neighbours_stay_neighbours_offline() -> None:
    case = Case(plan("Offline", instances=1))
    case.serve((list(range(10)), list(range(20, 30))))
    assert [indices for _, indices in case.batches] == [[20, 21, 22, 23], [24, 25, 26, 27], [28, 29]]


def test_ragged_samples_are_ordered_by_shape_so_that_batches_are_full() -> None:
    case = Case(plan("Offline", instances=1, batch_size=5), ragged=True)
    case.serve((list(range(100, 115)), list(range(15))))
    assert [{index % 3 for index in indices} for _, indices in case.batches] == [{0}, {1}, {2}]
    assert case.answered() == [(100 + index, index) for index in range(15)], "ids stay with their samples"


class TestBatching:
    """Server."""

    @given(
        count=st.integers(0, 60),
        instances=st.integers(1, 3),
        batch_size=st.integers(1, 8),
        wait=st.sampled_from([0, 200]),
    )
    def test_every_query_is_answered_once_in_batches_that_are_not_too_large(
        self, count: int, instances: int, batch_size: int, wait: int
    ) -> None:
        case = Case(plan("Server", instances, batch_size, wait))
        case.serve(*singles(count))
        assert case.answered() == sorted((ids[0], indices[0]) for ids, indices in singles(count))
        assert all(1 <= len(ids) <= batch_size for ids, _ in case.batches)

    def test_coalesced_queries_that_are_larger_than_a_batch_are_cut(self) -> None:
        case = Case(plan("Server", instances=1, batch_size=4))
        case.serve((list(range(11)), list(range(11))))
        assert [len(ids) for ids, _ in case.batches] == [4, 4, 3]

    def test_what_came_while_a_worker_was_busy_is_one_batch(self) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def busy(ids: list[int], indices: list[int]) -> None:
            begun.set()
            assert go_on.wait(timeout=20)

        case = Case(plan("Server", instances=1, batch_size=4), busy)
        case.executor.serve()
        case.executor.issue([0], [0])
        assert begun.wait(timeout=20)
        for number in range(1, 7):
            case.executor.issue([number], [number])
        go_on.set()
        case.executor.finish()
        assert [ids for ids, _ in case.batches] == [[0], [1, 2, 3, 4], [5, 6]]

    def test_with_a_wait_a_batch_fills_from_later_queries(self) -> None:
        answered = threading.Event()
        case = Case(
            plan("Server", instances=1, batch_size=3, max_wait_us=60_000_000), lambda ids, indices: answered.set()
        )
        case.executor.serve()
        for number in range(3):
            case.executor.issue([number], [number])
        assert answered.wait(timeout=20), "a full batch does not wait"
        case.executor.finish()
        assert [ids for ids, _ in case.batches] == [[0, 1, 2]]

    def test_finishing_ends_a_wait_at_once(self) -> None:
        """Minutes of waiting would be left when the test ends."""
        case = Case(plan("Server", instances=2, batch_size=8, max_wait_us=600_000_000))
        case.serve(([0], [0]), ([1], [1]), ([2], [2]))
        assert [pair[0] for pair in case.answered()] == [0, 1, 2]

    def test_without_a_wait_nothing_is_held_back(self) -> None:
        answered = threading.Event()
        case = Case(plan("Server", instances=1, batch_size=8), lambda ids, indices: answered.set())
        case.executor.serve()
        case.executor.issue([0], [0])
        assert answered.wait(timeout=20)
        case.executor.finish()


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream", "Server", "Offline"])
@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_whatever_answering_raises_reaches_on_error_and_not_loadgen(scenario: str, error: BaseException) -> None:
    def fail(ids: list[int], indices: list[int]) -> None:
        raise error

    case = Case(plan(scenario, instances=1), fail)
    case.serve(([0], [0]))
    assert case.errors == [error]


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream", "Server", "Offline"])
def test_finishing_twice_or_without_serving_is_nothing_and_serving_again_works(scenario: str) -> None:
    """LoadGen loads several sets in accuracy mode: serving stops and begins for each."""
    case = Case(plan(scenario))
    case.executor.finish()
    for _ in range(3):
        case.serve(([1], [1]))
        case.executor.finish()
    assert case.answered() == [(1, 1)] * 3


@pytest.mark.parametrize("scenario", ["MultiStream", "Server", "Offline"])
def test_what_is_done_with_each_worker_is_raised_to_the_caller(scenario: str) -> None:
    case = Case(plan(scenario))

    def fail(worker: Any) -> None:
        if worker.number == 1:
            raise ValueError("second")

    with pytest.raises(ValueError, match="second"):
        case.executor.each(fail)


def test_a_predictor_that_cannot_be_loaded_is_raised_to_the_caller() -> None:
    def make(number: int) -> Worker:
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        make_executor(plan("Offline"), cast("SampleLibrary", FakeLibrary(False)), make, print)
