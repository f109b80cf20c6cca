"""Responses: the bytes that LoadGen reads are the rows', each under its own id, and nothing is made up."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.errors import RunError
from mlharness.plan import PlannedStep
from mlharness.providers import Array, ResponseSpec
from mlharness.runner.responses import FixedWriter, RaggedWriter, SingleWriter, make_writer, write_checked
from tests.unit.runner.making import a_metric, a_plan


def read(responses: Sequence[Any]) -> dict[int, bytes]:
    """What LoadGen would log: bytes by id."""
    return {response.id: ctypes.string_at(response.data, response.size) for response in responses}


def ints(count: int, width: int = 2) -> Array:
    return np.arange(count * width, dtype=np.int32).reshape(count, width)


class TestFixed:
    """Rows of one shape."""

    @given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.sampled_from([(), (3,), (2, 2), (0,), (0, 7)]))
    def test_the_bytes_of_batch_after_batch(self, sizes: list[int], shape: tuple[int, ...]) -> None:
        writer = FixedWriter(ResponseSpec("float32", shape), 6)
        for round_, size in enumerate(sizes):
            rows = np.random.default_rng(round_).random((size, *shape), np.float32)
            ids = [1000 * round_ + 7 * place for place in range(size)]
            assert read(writer.write(rows, ids)) == {id_: row.tobytes() for id_, row in zip(ids, rows, strict=True)}

    def test_rows_of_any_layout(self) -> None:
        rows = np.asfortranarray(ints(3, 4))[:, ::-1]
        writer = FixedWriter(ResponseSpec("int32", (4,)), 3)
        assert read(writer.write(rows, [1, 2, 3])) == {n + 1: rows[n].tobytes() for n in range(3)}

    def test_ids_use_64_bits(self) -> None:
        writer = FixedWriter(ResponseSpec("int32", (2,)), 2)
        assert list(read(writer.write(ints(2), [2**63 + 1, 2**64 - 1]))) == [2**63 + 1, 2**64 - 1]
        assert list(read(writer.write(ints(1), [2**64 - 2]))) == [2**64 - 2]

    def test_rows_without_bytes_are_still_responses(self) -> None:
        """A sample that is not completed hangs LoadGen."""
        writer = FixedWriter(ResponseSpec("float32", (0, 6)), 4)
        assert read(writer.write(np.zeros((1, 0, 6), np.float32), [5])) == {5: b""}
        assert read(writer.write(np.zeros((3, 0, 6), np.float32), [5, 6, 7])) == {5: b"", 6: b"", 7: b""}

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            (ints(1), r"gives int32 \[1, 2\] for 3 samples, and the response is int32 \[3, 2\]"),
            (ints(3, 1), r"gives int32 \[3, 1\]"),
            (ints(4), r"gives int32 \[4, 2\]"),
            (ints(3).astype(np.int64), r"gives int64 \[3, 2\]"),
            (ints(3).astype(np.float32), r"gives float32 \[3, 2\]"),
            (ints(3).ravel(), r"gives int32 \[6\]"),
            (list(ints(3)), r"gives 3 rows of int32 \[2\]"),
            ([ints(1), "text"], r"gives 2 rows of int32 \[1, 2\], str"),
            (np.int32(4), r"gives int32 for 3 samples"),
        ],
    )
    def test_nothing_is_broadcast_cast_or_reshaped(self, rows: Any, words: str) -> None:
        writer = FixedWriter(ResponseSpec("int32", (2,)), 4)
        with pytest.raises(RunError, match=words):
            write_checked(writer, rows, [1, 2, 3])


class TestSingle:
    """Batches of one sample."""

    @pytest.mark.parametrize("shape", [(), (3,), (0, 7)])
    def test_the_bytes_of_sample_after_sample(self, shape: tuple[int, ...]) -> None:
        writer = SingleWriter(ResponseSpec("float32", shape))
        for id_ in (7, 2**64 - 1, 8):
            rows = np.random.default_rng(id_).random((1, *shape), np.float32)
            assert read(writer.write(rows, [id_])) == {id_: rows.tobytes()}
            writer.check(rows)

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            (ints(3), r"gives int32 \[3, 2\] for 1 samples"),
            (ints(1, 1), r"gives int32 \[1, 1\]"),
            (ints(1).astype(np.float32), r"gives float32 \[1, 2\]"),
            ([ints(1)[0]], r"gives 1 rows of int32 \[2\]"),
        ],
    )
    def test_nothing_is_broadcast_cast_or_reshaped(self, rows: Any, words: str) -> None:
        with pytest.raises(RunError, match=words):
            write_checked(SingleWriter(ResponseSpec("int32", (2,))), rows, [1])


class TestRagged:
    """Rows of any length."""

    def test_each_row_has_its_own_bytes_until_the_next_call(self) -> None:
        writer = RaggedWriter(ResponseSpec("float32", (None, 7)))
        rows = [np.random.default_rng(n).random((n, 7), np.float32) for n in (2, 0, 5)]
        expected = {n: row.tobytes() for n, row in enumerate(rows)}
        responses = writer.write(rows, [0, 1, 2])
        del rows
        assert read(responses) == expected

    def test_rows_that_are_not_contiguous_are_copied(self) -> None:
        rows = [np.arange(10, dtype=np.uint8)[::2], np.arange(3, dtype=np.uint8)]
        writer = RaggedWriter(ResponseSpec("uint8", (None,)))
        assert read(writer.write(rows, [8, 9])) == {8: bytes([0, 2, 4, 6, 8]), 9: bytes([0, 1, 2])}

    def test_one_array_is_as_many_rows_as_it_is_long(self) -> None:
        writer = RaggedWriter(ResponseSpec("int32", (None,)))
        assert read(writer.write(ints(2), [1, 2])) == {1: ints(2)[0].tobytes(), 2: ints(2)[1].tobytes()}

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            ([np.zeros((2, 7), np.float32)], r"gives 1 rows of float32 \[2, 7\] for 2 samples"),
            ([np.zeros((2, 7), np.float32), np.zeros((2, 6), np.float32)], r"the response is float32 \[2, None, 7\]"),
            ([np.zeros((2, 7)), np.zeros((2, 7))], "float64"),
            ([np.zeros(7, np.float32), np.zeros(7, np.float32)], r"float32 \[7\]"),
            ([[1.0] * 7, [2.0] * 7], "rows of list"),
            (np.zeros((2, 7), np.float32), r"gives float32 \[2, 7\]"),
        ],
    )
    def test_what_the_metric_cannot_read_back_is_refused(self, rows: Any, words: str) -> None:
        with pytest.raises(RunError, match=words):
            RaggedWriter(ResponseSpec("float32", (None, 7))).write(rows, [1, 2])


class TestChoice:
    """Which writer a plan has."""

    @pytest.mark.parametrize(
        ("shape", "kind"), [((1,), FixedWriter), ((), FixedWriter), ((None,), RaggedWriter), ((None, 7), RaggedWriter)]
    )
    def test_the_metric_decides(self, shape: tuple[int | None, ...], kind: type) -> None:
        plan = a_plan(metric=a_metric("float32", shape))
        assert type(make_writer(plan, ints(2), 4)) is kind
        assert type(make_writer(plan, ints(1), 1)) is (SingleWriter if kind is FixedWriter else kind)

    def test_without_a_metric_what_warm_up_saw_is_kept_to(self) -> None:
        writer = make_writer(a_plan(), ints(2), 4)
        assert read(writer.write(ints(4), [0, 1, 2, 3]))[3] == ints(4)[3].tobytes()
        with pytest.raises(RunError):
            write_checked(writer, ints(2, 3), [0, 1])

    def test_without_a_metric_ragged_rows_may_have_any_length(self) -> None:
        writer = make_writer(a_plan(), [np.zeros(2, np.uint8), np.zeros(3, np.uint8)], 4)
        assert read(writer.write([np.ones(9, np.uint8)], [4])) == {4: b"\1" * 9}


def test_python_of_the_published_manifests_may_answer_any_number_of_numbers() -> None:
    """What it answered in warm-up fixes nothing: an image may have more boxes than the first."""
    step = PlannedStep("python", "builtin-inline", {"convention": "published"})
    warm = np.zeros((1, 4), np.float32)
    free = make_writer(a_plan(postprocess=(step,)), warm, 2)
    rows = [np.ones(5, np.float32), np.zeros(0, np.float32)]
    assert read(free.write(rows, [1, 2])) == {1: rows[0].tobytes(), 2: b""}
    assert read(free.write(warm, [3])) == {3: warm.tobytes()}
    assert isinstance(make_writer(a_plan(), warm, 2), FixedWriter)
    assert isinstance(make_writer(a_plan(postprocess=(step,), metric=a_metric(shape=(4,))), warm, 2), FixedWriter)
