"""The sample library: only the loaded set is held, a batch is a view where it can be, and failures are named."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.errors import RunError, UserError
from mlharness.providers import Array, Arrays, Context, TensorSpec
from mlharness.runner.library import SampleLibrary, check_arrays
from mlharness.runner.pipeline import BoundStep, Pipeline
from tests.unit.runner.making import NOTHING, FakeDataSet, X, a_library, row, step

RAGGED = TensorSpec("x", "float32", (None, None))


def ragged(index: int) -> Arrays:
    """float32 [1 + index % 3] of the index."""
    return (np.full(1 + index % 3, index, np.float32),)


def loaded(indices: list[int], count: int = 20, threads: int = 1) -> SampleLibrary:
    library = a_library(FakeDataSet(count), threads=threads)
    library.load(indices)
    return library


def rows(indices: list[int]) -> Array:
    return np.stack([row(index)[0] for index in indices])


def columns(library: SampleLibrary) -> list[Array]:
    """The arrays that hold everything."""
    return library._columns


class TestGather:
    """Batches."""

    @pytest.mark.parametrize("indices", [[4, 5, 6], [9], [4, 5, 6, 7, 8, 9]])
    def test_neighbours_are_a_view(self, indices: list[int]) -> None:
        library = loaded([4, 5, 6, 7, 8, 9])
        batch = library.gather(indices, library.buffers(8))["x"]
        assert np.array_equal(batch, rows(indices))
        assert np.shares_memory(batch, columns(library)[0])

    @pytest.mark.parametrize("indices", [[6, 5, 4], [4, 6], [4, 4], [4, 5, 7], [9, 4], [4, 6, 5, 7]])
    def test_others_are_copied_into_the_workers_buffers(self, indices: list[int]) -> None:
        library = loaded([4, 5, 6, 7, 8, 9])
        buffers = library.buffers(8)
        batch = library.gather(indices, buffers)["x"]
        assert np.array_equal(batch, rows(indices))
        assert np.shares_memory(batch, buffers[0])
        assert not np.shares_memory(batch, columns(library)[0])

    def test_neighbours_are_those_that_were_loaded_side_by_side(self) -> None:
        library = loaded([9, 2, 5])
        view = library.gather([9, 2, 5], [])["x"]
        assert np.array_equal(view, rows([9, 2, 5]))
        assert np.shares_memory(view, columns(library)[0])
        assert np.array_equal(library.gather([2, 9], library.buffers(2))["x"], rows([2, 9]))

    @given(st.permutations(range(12)), st.data())
    def test_any_order_of_any_samples(self, order: list[int], data: st.DataObject) -> None:
        library = loaded(order[:8])
        wanted = data.draw(st.lists(st.sampled_from(order[:8]), min_size=1, max_size=10))
        assert np.array_equal(library.gather(wanted, library.buffers(10))["x"], rows(wanted))

    def test_several_inputs_go_by_name_in_the_order_of_preprocessing(self) -> None:
        inputs = (TensorSpec("mask", "int64", (None, 2)), TensorSpec("ids", "uint8", (None,)))
        dataset = FakeDataSet(5, lambda index: (np.array([index, -index]), np.array(index, np.uint8)))
        library = a_library(dataset, inputs=inputs)
        library.load(range(5))
        batch = library.gather([3, 1], library.buffers(2))
        assert list(batch) == ["mask", "ids"]
        assert batch["mask"].tolist() == [[3, -3], [1, -1]]
        assert batch["ids"].tolist() == [3, 1]
        assert batch["ids"].dtype == np.uint8


class TestLoading:
    """What is resident, and when it is made."""

    def test_only_the_loaded_set_is_read_and_held_once_each(self) -> None:
        dataset = FakeDataSet(1000)
        library = a_library(dataset)
        library.load([7, 900])
        library.load([3, 4, 5])
        assert sorted(dataset.asked) == [3, 4, 5, 7, 900]
        assert columns(library)[0].shape == (3, 3)
        assert library.gather([4], [])["x"].tolist() == rows([4]).tolist()

    def test_unload_frees(self) -> None:
        library = loaded([1, 2, 3])
        library.unload([1, 2, 3])
        assert columns(library) == []
        assert library.buffers(4) == []

    def test_progress_counts_up_to_all(self) -> None:
        for threads in (1, 3):
            told: list[int] = []
            library = SampleLibrary(FakeDataSet(10), NOTHING, threads, told.append)
            library.expect((X,))
            library.load(range(10))
            assert told == list(range(2, 11))

    def test_a_set_with_a_sample_twice(self) -> None:
        """LoadGen pads MultiStream's set."""
        library = loaded([1, 2, 1])
        assert library.gather([1, 2], library.buffers(2))["x"].tolist() == rows([1, 2]).tolist()


class TestThreads:
    """Preprocessing side by side."""

    @staticmethod
    def together(parties: int, serial: bool, parallel: bool = False) -> Pipeline:
        """A step that goes on only when so many samples are in it at once (or none can be); keeps its threads."""
        barrier = threading.Barrier(parties)
        main = threading.current_thread()

        def meet(array: Array) -> Array:
            if threading.current_thread() is not main:
                barrier.wait(timeout=20)
            return array

        return Pipeline("preprocess", (step(meet, serial=serial),), {}, {}, parallel)

    @pytest.mark.parametrize(("serial", "parallel"), [(False, False), (True, True)])
    def test_several_samples_are_preprocessed_at_once(self, serial: bool, parallel: bool) -> None:
        library = a_library(FakeDataSet(7), self.together(3, serial, parallel), threads=3)
        library.load(range(7))
        assert library.gather(list(range(7)), [])["x"].tolist() == rows(list(range(7))).tolist()

    def test_a_serial_step_stays_on_the_calling_thread_and_in_order(self) -> None:
        dataset = FakeDataSet(9)
        library = a_library(dataset, self.together(2, serial=True), threads=4)
        library.load(range(9))
        assert dataset.asked == list(range(9))

    def test_an_error_in_a_thread_is_raised(self) -> None:
        def fail(index: int) -> Arrays:
            if index == 5:
                raise ValueError("torn")
            return row(index)

        library = a_library(FakeDataSet(9, fail), threads=3)
        with pytest.raises(RunError, match="the data set failed on sample 5: ValueError: torn"):
            library.load(range(9))

    @pytest.mark.parametrize("threads", [1, 4])
    def test_ragged_samples(self, threads: int) -> None:
        library = a_library(FakeDataSet(30, ragged), threads=threads, inputs=(RAGGED,))
        library.load(range(30))
        assert library.ragged
        assert library.stack([3, 9, 0])["x"].tolist() == [[3], [9], [0]]
        assert library.stack([29])["x"].tolist() == [[29, 29, 29]]
        assert [library.shape_key(index) for index in (0, 1, 2, 3)] == [((1,),), ((2,),), ((3,),), ((1,),)]


class TestRagged:
    """Samples of several shapes."""

    def test_one_odd_sample_makes_the_set_ragged_and_the_next_set_forgets_it(self) -> None:
        library = a_library(FakeDataSet(9, ragged), inputs=(RAGGED,))
        found = []
        for indices in ([0, 3, 1], [0, 3, 6]):
            library.load(indices)
            found.append((library.ragged, len(columns(library))))
        assert found == [(True, 0), (False, 1)]
        assert library.gather([0, 3], [])["x"].tolist() == [[0], [3]]

    def test_single_batches_of_an_earlier_set_are_forgotten(self) -> None:
        """The first sample is loaded by itself, to see how large samples are, and is not ragged then."""
        library = a_library(FakeDataSet(9, ragged), inputs=(RAGGED,))
        library.load([0])
        assert set(library.alone) == {0}
        library.load([0, 3, 1])
        assert library.ragged
        assert library.alone == {}

    def test_a_sample_that_is_not_loaded_is_not_made_up(self) -> None:
        library = a_library(FakeDataSet(9, ragged), inputs=(RAGGED,))
        library.load([0, 1])
        with pytest.raises(AssertionError, match="sample 4 is not loaded"):
            library.stack([0, 4])


class TestRefusals:
    """What cannot be fed to the model is said with sample, input and both shapes."""

    @pytest.mark.parametrize(
        ("sample", "words"),
        [
            (
                lambda index: (np.zeros(3),),
                r"float64 \[3\] for input 'x' of sample 2, and the model takes float32 \[3\]",
            ),
            (lambda index: (np.zeros(4, np.float32),), r"float32 \[4\] for input 'x' of sample 2"),
            (lambda index: (np.zeros((1, 3), np.float32),), r"float32 \[1, 3\]"),
            (lambda index: (), "gives 0 arrays for sample 2, and the model has 1 inputs"),
            (lambda index: row(index) * 2, "gives 2 arrays"),
            (lambda index: ([1.0, 2.0, 3.0],), "gives list for input 'x', not a NumPy array"),
        ],
    )
    def test_arrays_that_do_not_fit(self, sample: Callable[[int], Any], words: str) -> None:
        with pytest.raises(RunError, match=words):
            a_library(FakeDataSet(9, sample)).load([2])

    def test_a_bad_sample_after_good_ones(self) -> None:
        def mixed(index: int) -> Arrays:
            return row(index) if index < 3 else (np.zeros(5, np.float32),)

        with pytest.raises(RunError, match="of sample 3"):
            a_library(FakeDataSet(9, mixed)).load(range(5))

    def test_a_users_error_of_the_data_set_fails_the_run_and_keeps_its_remedy(self) -> None:
        def fail(index: int) -> Arrays:
            raise UserError("no such picture", "Fetch it.")

        with pytest.raises(RunError, match="sample 2 of the data set cannot be read: no such picture") as caught:
            a_library(FakeDataSet(9, fail)).load([2])
        assert caught.value.remedy == "Fetch it."

    def test_a_step_that_raises_is_named(self) -> None:
        def fail(array: Array) -> Array:
            raise ValueError("bent")

        pipeline = Pipeline("preprocess", (step(fail, name="image.bend"),), {}, {})
        with pytest.raises(RunError, match=r"preprocess step 'image\.bend' failed on sample 2: ValueError: bent"):
            a_library(FakeDataSet(9), pipeline).load([2])

    def test_a_set_that_does_not_fit_into_memory_is_not_begun(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=12 * 10 - 1))
        dataset = FakeDataSet(100)
        with pytest.raises(UserError, match="10 preprocessed samples need") as caught:
            a_library(dataset).load(range(10))
        assert "--count" in caught.value.remedy
        assert dataset.asked == [0]
        a_library(dataset).load(range(9))


def test_what_nobody_says_of_an_input_is_not_checked() -> None:
    array = np.zeros((3, 4), np.float32)
    for spec in (TensorSpec("x", "", ()), TensorSpec("x", "float32", ()), TensorSpec("x", "", (None, 3, None))):
        check_arrays((array,), (spec,), 0)
    for spec in (TensorSpec("x", "uint8", ()), TensorSpec("x", "", (None, 3)), TensorSpec("x", "", (None, 3, 5))):
        with pytest.raises(RunError, match="and the model takes"):
            check_arrays((array,), (spec,), 0)


class Loading(FakeDataSet):
    """Notes what it is told, and may refuse."""

    def __init__(self, count: int, error: BaseException | None = None) -> None:
        super().__init__(count)
        self.told: list[tuple[str, list[int]]] = []
        self._error = error

    def load(self, indices: Sequence[int]) -> None:
        self.told.append(("load", list(indices)))
        if self._error is not None:
            raise self._error

    def unload(self, indices: Sequence[int]) -> None:
        self.told.append(("unload", list(indices)))


class TestTelling:
    """A data set that wants to know which samples are in use."""

    def test_it_is_told_before_and_after(self) -> None:
        dataset = Loading(9)
        library = a_library(dataset)
        library.load([0])
        library.load([4, 2])
        library.unload([4, 2])
        library.unload([4, 2])
        assert dataset.told == [("load", [0]), ("unload", [0]), ("load", [4, 2]), ("unload", [4, 2])]
        assert dataset.asked == [0, 4, 2]

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (RunError("d.yaml:3: load failed"), r"^d\.yaml:3: load failed"),
            (UserError("no such folder", "Make it."), "the data set cannot load its samples: no such folder"),
            (KeyError("x"), "the data set failed to load its samples: KeyError: 'x'"),
            (SystemExit(3), "the data set failed to load its samples: SystemExit: 3"),
        ],
    )
    def test_its_failure_is_a_failed_run(self, error: BaseException, told: str) -> None:
        with pytest.raises(RunError, match=told):
            a_library(Loading(3, error)).load([0])


def test_samples_that_preprocessing_opens_itself_are_not_read() -> None:
    dataset = FakeDataSet(3)
    seen: list[Any] = []

    def open_it(arrays: Arrays, context: Context) -> Array:
        seen.append((arrays, context["sample_indices"]))
        return np.full(3, context["sample_indices"][0], np.float32)

    pipeline = Pipeline("preprocess", (BoundStep("python", open_it, False, True),), {}, {})
    library = SampleLibrary(dataset, pipeline, 4, raw=False)
    library.expect((X,))
    library.load([2, 0, 1])
    assert seen == [((), [2]), ((), [0]), ((), [1])], "in LoadGen's order, one after another"
    assert dataset.asked == []
    assert library.gather([0], [])["x"].tolist() == [[0, 0, 0]]
