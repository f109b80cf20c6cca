"""Sums over slices against counting nanosecond by nanosecond, and stretches of time cut out of others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlharness.explaining.slices import BLOCKED, RUNNING, Line, Slices, union, without

gaps = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=8)
stretches = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), max_size=8)


def line_of(pairs: list[tuple[int, int]]) -> Line:
    """Slices by the gap before each, and their length."""
    starts, ends, at = [], [], 0
    for gap, length in pairs:
        starts.append(at + gap)
        at += gap + length
        ends.append(at)
    return Line(np.array(starts, np.int64), np.array(ends, np.int64))


def moments(pairs: list[tuple[int, int]]) -> set[int]:
    return {moment for start, end in pairs for moment in range(start, end)}


@given(gaps, st.integers(0, 60), st.integers(0, 60))
def test_the_time_within_slices_is_what_counting_gives(pairs: list[tuple[int, int]], one: int, two: int) -> None:
    line, start, end = line_of(pairs), min(one, two), max(one, two)
    inside = moments(list(zip(line.starts.tolist(), line.ends.tolist(), strict=True)))
    assert line.within([start], [end]).tolist() == [len(inside & set(range(start, end)))]


@given(gaps, gaps)
def test_what_lies_in_both_lines_and_in_one_only(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    first, second = line_of(one), line_of(two)
    assert moments(first.both(second).pairs) == moments(first.pairs) & moments(second.pairs)
    assert moments(first.without(second).pairs) == moments(first.pairs) - moments(second.pairs)
    assert first.total == len(moments(first.pairs))


@given(stretches)
def test_a_union_holds_the_same_moments_and_does_not_overlap(found: list[tuple[int, int]]) -> None:
    pairs = [(start, start + length) for start, length in found]
    joined = union(pairs)
    assert moments(joined) == moments(pairs)
    assert all(first[1] < second[0] for first, second in pairwise(joined))


@given(st.integers(0, 30), st.integers(0, 30), stretches)
def test_what_is_left_of_a_stretch(start: int, length: int, found: list[tuple[int, int]]) -> None:
    pairs = [(first, first + size) for first, size in found]
    left = without((start, start + length), pairs)
    assert moments(left) == set(range(start, start + length)) - moments(pairs)


def test_sums_are_of_each_threads_own_slices() -> None:
    slices = Slices([(7, RUNNING, 0, 10), (7, BLOCKED, 10, 5), (8, RUNNING, 0, 3)])
    assert slices.sums(RUNNING, [7, 8, 9], [0, 0, 0], [20, 20, 20]).tolist() == [10, 3, 0]
    assert slices.sums(BLOCKED, [7, 7], [0, 12], [12, 20]).tolist() == [2, 3]
    assert slices
    assert not Slices(())
