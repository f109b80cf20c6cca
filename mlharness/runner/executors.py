"""Executors take LoadGen's queries to the workers. Which one serves a scenario is decided here, before LoadGen starts.

SingleStream runs on LoadGen's own issuing thread, without a hop. The others hand over to worker threads, one per
instance, which live until the test has returned: LoadGen crashes when a thread that completed samples ends earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Protocol, TypeVar

from mlharness.plan import RunPlan
from mlharness.runner.library import SampleLibrary
from mlharness.runner.worker import Worker

T = TypeVar("T")
MakeWorker = Callable[[int], Worker]
OnError = Callable[[BaseException], None]


class Executor(Protocol):
    """Workers, and a way to give them queries. ``on_error`` of the constructors never returns."""

    workers: list[Worker]

    def each(self, action: Callable[[Worker], Any]) -> None:
        """Do something with every worker on the worker's own thread, all at once; raises what the first raised."""
        ...

    def first(self, action: Callable[[Worker], T]) -> T:
        """Do something with the first worker on its own thread, and return what it gives."""
        ...

    def serve(self) -> None:
        """Begin to answer what :meth:`issue` hands over."""
        ...

    def issue(self, ids: list[int], indices: list[int]) -> None:
        """LoadGen's callback: one query."""
        ...

    def finish(self) -> None:
        """Stop serving, once everything that was issued has been answered."""
        ...

    def close(self) -> None:
        """Close every predictor on its worker's thread, and end the threads."""
        ...


class InlineExecutor:
    """One worker on the calling thread."""

    def __init__(self, make_worker: MakeWorker, on_error: OnError) -> None:
        self._worker = make_worker(0)
        self.workers = [self._worker]
        self._on_error = on_error

    def each(self, action: Callable[[Worker], Any]) -> None:
        action(self._worker)

    def first(self, action: Callable[[Worker], T]) -> T:
        return action(self._worker)

    def serve(self) -> None:
        """Nothing to begin: :meth:`issue` answers by itself."""

    def issue(self, ids: list[int], indices: list[int]) -> None:
        try:
            self._worker.answer(ids, indices)
        except BaseException as error:  # noqa: BLE001  # nothing may reach LoadGen, which would abort the process
            self._on_error(error)

    def finish(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        self._worker.close()


class PoolExecutor:
    """One thread per instance, fed from one queue; subclasses say how a query becomes batches."""

    def __init__(self, make_worker: MakeWorker, on_error: OnError, plan: RunPlan, library: SampleLibrary) -> None:
        self._on_error = on_error
        self._batch_size = plan.batching.batch_size
        self._max_wait_s = plan.batching.max_wait_us / 1e6
        self._library = library
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._threads = [ThreadPoolExecutor(1, f"instance-{number}") for number in range(plan.host.instances)]
        made = [thread.submit(make_worker, number) for number, thread in enumerate(self._threads)]
        self.workers = [future.result() for future in made]
        self._serving: list[Future[None]] = []

    def each(self, action: Callable[[Worker], Any]) -> None:
        pairs = zip(self._threads, self.workers, strict=True)
        for future in [thread.submit(action, worker) for thread, worker in pairs]:
            future.result()

    def first(self, action: Callable[[Worker], T]) -> T:
        return self._threads[0].submit(action, self.workers[0]).result()

    def serve(self) -> None:
        pairs = zip(self._threads, self.workers, strict=True)
        self._serving = [thread.submit(self._guarded, worker) for thread, worker in pairs]

    def finish(self) -> None:
        for _ in self._serving:
            self._queue.put(None)
        for future in self._serving:
            future.result()
        self._serving = []

    def close(self) -> None:
        try:
            self.each(Worker.close)
        finally:
            for thread in self._threads:
                thread.shutdown()

    def _guarded(self, worker: Worker) -> None:
        try:
            self._work(worker)
        except BaseException as error:  # noqa: BLE001  # reported by on_error, which ends the process
            self._on_error(error)

    def _work(self, worker: Worker) -> None:
        raise NotImplementedError


class SlicingExecutor(PoolExecutor):
    """Offline and MultiStream: a query's samples are cut into batches, and every worker takes the next one."""

    def issue(self, ids: list[int], indices: list[int]) -> None:
        work = (ids, indices, iter(range(0, len(ids), self._batch_size)))
        for _ in self.workers:
            self._queue.put(work)

    def _work(self, worker: Worker) -> None:
        size = self._batch_size
        while (work := self._queue.get()) is not None:
            ids, indices, starts = work
            for start in starts:  # shared by all workers: taking the next item of a range iterator is atomic
                worker.answer(ids[start : start + size], indices[start : start + size])


class SortingExecutor(SlicingExecutor):
    """Offline over ragged samples: ordered by shape first, so that batches are full."""

    def issue(self, ids: list[int], indices: list[int]) -> None:
        if self._library.ragged:
            order = sorted(range(len(ids)), key=lambda place: self._library.shape_key(indices[place]))
            ids, indices = [ids[place] for place in order], [indices[place] for place in order]
        super().issue(ids, indices)


class BatchingExecutor(PoolExecutor):
    """Server: each worker takes what is waiting, up to the largest batch, and waits no longer than allowed."""

    def issue(self, ids: list[int], indices: list[int]) -> None:
        self._queue.put((ids, indices))

    def _work(self, worker: Worker) -> None:
        size = self._batch_size
        while (work := self._queue.get()) is not None:
            ids, indices = work
            if len(ids) < size:
                self._fill(ids, indices)
            for start in range(0, len(ids), size):
                worker.answer(ids[start : start + size], indices[start : start + size])

    def _fill(self, ids: list[int], indices: list[int]) -> None:
        for work in self._waiting():
            if work is None:  # another worker's sign to stop
                self._queue.put(None)
                return
            ids += work[0]
            indices += work[1]
            if len(ids) >= self._batch_size:
                return

    def _waiting(self) -> Iterator[Any]:
        deadline = perf_counter() + self._max_wait_s if self._max_wait_s else 0.0
        while True:
            try:
                yield self._queue.get_nowait()
            except Empty:
                left = deadline - perf_counter() if deadline else 0.0
                if left <= 0:
                    return
                try:
                    yield self._queue.get(timeout=left)
                except Empty:
                    return


def make_executor(plan: RunPlan, library: SampleLibrary, make_worker: MakeWorker, on_error: OnError) -> Executor:
    """The executor for the plan's scenario, with its workers loaded."""
    scenario = plan.test.scenario
    if scenario == "SingleStream":
        return InlineExecutor(make_worker, on_error)
    kinds: dict[str, Callable[..., Executor]] = {
        "MultiStream": SlicingExecutor,
        "Server": BatchingExecutor,
        "Offline": SortingExecutor,
    }
    return kinds[scenario](make_worker, on_error, plan, library)
