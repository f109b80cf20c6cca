"""Parents: named, launched, enclosed on the same thread or on exactly one other, or marked as ambiguous."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.trace.levels import APPLICATION, FRAMEWORK, LIBRARY, MODEL, SYSTEM
from mlharness.trace.matching import ENOUGH
from mlharness.trace.parentage import PARENTAGE
from mlharness.trace.spans import NO_PARENT, Spans
from tests.unit.trace.growing import ACTIONS, Step, grow
from tests.unit.trace.making import one_tree, parentages, parents


def spans(source: str = "test") -> Spans:
    return Spans(source)


def test_no_spans_are_no_tree() -> None:
    assert len(one_tree()) == 0
    assert len(one_tree(spans())) == 0


def test_the_innermost_that_encloses_on_the_same_thread_is_the_parent() -> None:
    some = spans()
    some.add(MODEL, "predict", 0, 100, thread=1)
    some.add(FRAMEWORK, "outer", 10, 80, thread=1)
    some.add(FRAMEWORK, "inner", 20, 10, thread=1)
    some.add(FRAMEWORK, "later", 30, 60, thread=1)
    some.add(FRAMEWORK, "outside", 95, 10, thread=1)
    some.add(FRAMEWORK, "other", 20, 10, thread=2)
    table = one_tree(some)
    assert parents(table) == {
        "predict": "-", "outer": "predict", "inner": "outer", "later": "outer", "outside": "-", "other": "predict",
    }  # fmt: skip
    assert parentages(table)["outside"] == "none"
    assert parentages(table)["other"] == "enclosed"


def test_a_parent_is_never_further_in() -> None:
    some = spans()
    some.add(SYSTEM, "kernel", 0, 100, thread=1)
    some.add(FRAMEWORK, "operator", 10, 10, thread=1)
    some.add(SYSTEM, "part", 12, 2, thread=1)
    assert parents(one_tree(some)) == {"kernel": "-", "operator": "-", "part": "operator"}


def test_spans_that_follow_each_other_are_not_nested() -> None:
    some = spans()
    some.add(FRAMEWORK, "a", 0, 10, thread=1)
    some.add(FRAMEWORK, "b", 10, 0, thread=1)
    some.add(FRAMEWORK, "c", 11, 4, thread=1)
    some.add(FRAMEWORK, "d", 15, 5, thread=1)
    assert set(parents(one_tree(some)).values()) == {"-"}


def test_twins_enclose_neither_each_other_nor_anything_twice() -> None:
    some = spans()
    some.add(MODEL, "predict", 0, 100, thread=1)
    some.add(FRAMEWORK, "one", 10, 50, thread=1)
    some.add(FRAMEWORK, "two", 10, 50, thread=1)
    table = one_tree(some)
    assert parents(table) == {"predict": "-", "one": "predict", "two": "predict"}
    assert sorted(parentages(table).values()) == ["ambiguous", "enclosed", "none"]


@pytest.mark.parametrize("late", [0, 900, 2_000])
@pytest.mark.parametrize("duration", [1, 3_000, 50_000])
def test_stamps_may_be_off_by_the_tolerance(late: int, duration: int) -> None:
    """Short spans, too: an operator of 3 us and its primitive, which seems to begin before or to end after it."""
    some = spans()
    some.add(MODEL, "predict", 1_000_000, 500_000, thread=1)
    some.add(FRAMEWORK, "operator", 1_100_000, duration + 4_000, thread=1)
    some.add(LIBRARY, "early", 1_100_000 - min(late, duration // 2), duration, thread=1)
    some.add(FRAMEWORK, "next", 1_200_000, duration + 4_000, thread=1)
    end = 1_200_000 + duration + 4_000
    some.add(LIBRARY, "late", end - duration + min(late, duration // 2), duration)
    found = parents(one_tree(some, tolerance_ns=2_000))
    assert found == {"predict": "-", "operator": "predict", "next": "predict", "early": "operator", "late": "next"}


def test_an_operator_that_seems_to_begin_before_its_call_is_still_its_own() -> None:
    some = spans()
    some.add(MODEL, "predict", 10_500, 50_000, thread=1)
    some.add(FRAMEWORK, "operator", 10_000, 20_000, thread=1)
    some.add(LIBRARY, "primitive", 11_000, 500, thread=1)
    found = parents(one_tree(some, tolerance_ns=2_000))
    assert found == {"predict": "-", "operator": "predict", "primitive": "operator"}


def test_beyond_the_tolerance_nothing_is_enclosed() -> None:
    some = spans()
    some.add(MODEL, "predict", 10_000, 50_000, thread=1)
    some.add(FRAMEWORK, "operator", 7_000, 20_000, thread=1)
    assert parents(one_tree(some, tolerance_ns=2_000)) == {"predict": "-", "operator": "-"}


def test_a_named_parent_comes_before_an_enclosing_one() -> None:
    some = spans()
    some.add(APPLICATION, "query", 0, 10, key=7)
    some.add(APPLICATION, "batch", 50, 10, thread=1, parent=7)
    some.add(APPLICATION, "around", 40, 40, thread=1)
    table = one_tree(some)
    assert parents(table)["batch"] == "query"
    assert parentages(table) == {"query": "none", "batch": "named", "around": "none"}


def test_keys_are_a_sources_own_and_each_predictors_own() -> None:
    first, second, other = Spans("same"), Spans("same"), Spans("other")
    for part, mark in ((first, "1"), (second, "2"), (other, "3")):
        part.add(APPLICATION, f"parent {mark}", 0, 10, key=5)
        part.add(APPLICATION, f"child {mark}", 20, 10, parent=5)
    second.add(APPLICATION, "elsewhere", 20, 10, parent=9)
    first.add(APPLICATION, "nine", 0, 10, key=9)
    other.add(APPLICATION, "unknown", 20, 10, parent=9)
    found = parents(one_tree(first, second, other))
    assert [found[f"child {mark}"] for mark in "123"] == ["parent 1", "parent 2", "parent 3"]
    assert found["elsewhere"] == "nine"
    assert found["unknown"] == "-"


def test_work_is_under_what_launched_it() -> None:
    some = spans()
    some.add(FRAMEWORK, "operator", 0, 10, thread=1)
    some.add(SYSTEM, "launch", 2, 3, thread=1, correlation=42)
    some.add(SYSTEM, "kernel", 100, 50, thread=9, caused_by=42)
    some.add(SYSTEM, "lost", 200, 50, thread=9, caused_by=43)
    table = one_tree(some)
    assert parents(table) == {"operator": "-", "launch": "operator", "kernel": "launch", "lost": "-"}
    assert parentages(table)["kernel"] == "launched"
    assert parentages(table)["lost"] == "none"


def test_a_correlation_that_is_used_again_is_of_the_last_launch_before() -> None:
    some = spans()
    for time in (0, 100, 200):
        some.add(SYSTEM, f"launch {time}", time, 3, thread=1, correlation=1)
        some.add(SYSTEM, f"kernel {time}", time + 10, 20, thread=9, caused_by=1)
    found = parents(one_tree(some))
    assert [found[f"kernel {time}"] for time in (0, 100, 200)] == ["launch 0", "launch 100", "launch 200"]


def test_a_correlation_is_looked_for_in_its_own_source_first() -> None:
    mine, other = Spans("mine"), Spans("other")
    mine.add(SYSTEM, "launch", 0, 3, thread=1, correlation=1)
    other.add(SYSTEM, "stranger", 5, 3, thread=1, correlation=1)
    mine.add(SYSTEM, "kernel", 10, 20, thread=9, caused_by=1)
    assert parents(one_tree(mine, other))["kernel"] == "launch"


def test_a_span_never_launches_itself() -> None:
    some = spans()
    some.add(SYSTEM, "launch", 0, 3, thread=1, correlation=1)
    some.add(SYSTEM, "kernel", 10, 20, thread=9, correlation=1, caused_by=1)
    assert parents(one_tree(some))["kernel"] == "launch"


def test_a_timeline_of_its_own_is_under_nothing_and_encloses_nothing() -> None:
    some = spans()
    some.add(MODEL, "predict", 0, 100, thread=1)
    some.add(SYSTEM, "running", 10, 80, thread=1, parent=NO_PARENT)
    some.add(SYSTEM, "copy", 20, 10, thread=1)
    table = one_tree(some)
    assert parents(table) == {"predict": "-", "running": "-", "copy": "predict"}
    assert parentages(table)["running"] == "alone"


@pytest.mark.parametrize("length", [1, 2, 5])
def test_parents_in_a_circle_are_no_parents(length: int) -> None:
    some = spans()
    for number in range(length):
        some.add(APPLICATION, f"{number}", 10 * number, 5, key=number + 1, parent=(number + 1) % length + 1)
    some.add(APPLICATION, "beside", 1_000, 5, parent=1)
    table = one_tree(some)
    assert parents(table) == {**{f"{number}": "-" for number in range(length)}, "beside": "0"}
    assert parentages(table)["0"] == "ambiguous"


class TestElsewhere:
    """Spans that nothing encloses on their own thread, and those without one."""

    def test_one_thread_alone_can_have_caused_it(self) -> None:
        some = spans()
        some.add(MODEL, "predict", 0, 100, thread=1)
        some.add(FRAMEWORK, "operator", 10, 20, thread=1)
        some.add(FRAMEWORK, "far", 70, 20, thread=2)
        some.add(LIBRARY, "primitive", 12, 5)
        some.add(LIBRARY, "between", 32, 5)
        some.add(FRAMEWORK, "pooled", 50, 5, thread=3)
        some.add(LIBRARY, "of the pool", 51, 2)
        found = parents(one_tree(some))
        assert found["primitive"] == "operator"
        assert found["between"] == "predict"
        assert found["pooled"] == "predict"
        assert found["of the pool"] == "pooled", "of another thread that is further in"

    def test_two_threads_are_ambiguous(self) -> None:
        some = spans()
        for thread in (1, 2):
            some.add(MODEL, f"predict {thread}", 0, 100, thread=thread)
        some.add(FRAMEWORK, "pooled", 50, 5, thread=3)
        table = one_tree(some)
        assert parents(table)["pooled"] == "-"
        assert parentages(table)["pooled"] == "ambiguous"

    def test_the_operators_type_decides_between_two(self) -> None:
        some = spans()
        some.add(FRAMEWORK, "convolution", 0, 100, kind="aten::conv2d", thread=1)
        some.add(FRAMEWORK, "its inner", 10, 80, kind="aten::to", thread=1)
        some.add(FRAMEWORK, "pooling", 0, 100, kind="MaxPool", thread=2)
        some.add(LIBRARY, "conv", 20, 5, kind="convolution")
        some.add(LIBRARY, "pool", 40, 5, kind="pooling")
        some.add(LIBRARY, "either", 60, 5, kind="reorder")
        table = one_tree(some)
        assert parents(table)["conv"] == "its inner"
        assert parents(table)["pool"] == "pooling"
        assert parentages(table)["either"] == "ambiguous"

    def test_a_thread_computes_one_primitive_at_a_time(self) -> None:
        some = spans()
        some.add(FRAMEWORK, "convolution", 0, 1_000_000, kind="Conv", thread=1)
        some.add(FRAMEWORK, "pooling", 0, 1_000_000, kind="MaxPool", thread=2)
        some.add(LIBRARY, "conv", 10_000, 100_000, kind="convolution")
        some.add(LIBRARY, "beside it", 50_000, 100_000, kind="reorder")
        some.add(LIBRARY, "beside that", 140_000, 100_000, kind="reorder")
        some.add(LIBRARY, "a step apart", 239_500, 100_000, kind="reorder")
        table = one_tree(some)
        assert parents(table)["beside it"] == "pooling"
        assert parents(table)["beside that"] == "convolution"
        assert parentages(table)["a step apart"] == "ambiguous", "half a microsecond is no overlap"

    def test_what_was_certain_settles_its_neighbours(self) -> None:
        some = spans()
        some.add(FRAMEWORK, "one", 0, 100_000, kind="X", thread=1)
        some.add(FRAMEWORK, "two", 50_000, 100_000, kind="Y", thread=2)
        some.add(LIBRARY, "certain", 40_000, 40_000, kind="reorder")
        some.add(LIBRARY, "beside", 60_000, 30_000, kind="reorder")
        found = parents(one_tree(some))
        assert found == {"one": "-", "two": "-", "certain": "one", "beside": "two"}

    def test_on_the_threads_of_a_pool_operators_are_known_by_their_names(self) -> None:
        """There is no call on their threads that would tell their places; in the last round both run at once."""
        some = spans()
        for number in range(ENOUGH + 1):
            last = number == ENOUGH
            for thread, name in ((1, "first"), (2, "second")):
                start = 1_000 * number + (0 if last or thread == 1 else 500)
                some.add(FRAMEWORK, name, start, 150, kind="Conv", thread=thread)
                some.add(LIBRARY, "jit", start + 50, 20, kind="convolution", attributes=f'{{"shape":"{name}"}}')
        table = one_tree(some)
        for row in range(len(table)):
            if table.text("name", row) == "jit":
                owner = table.text("name", int(table.parent[row]) - 1)
                assert owner in table.text("attributes", row)


def test_the_codes_are_places_in_the_names() -> None:
    assert PARENTAGE == ("none", "named", "launched", "enclosed", "ambiguous", "alone")


STEPS = st.lists(
    st.tuples(
        st.sampled_from((*ACTIONS, "open", "close", "guest")), st.integers(1, 3), st.integers(0, 5), st.integers(0, 99)
    ),
    max_size=60,
)


@given(steps=STEPS, random=st.randoms(use_true_random=False))
def test_a_tree_that_was_flattened_and_shuffled_comes_back(steps: list[Step], random: Random) -> None:
    grown = grow(steps)
    order = list(range(len(grown.nodes)))
    random.shuffle(order)
    table = one_tree(grown.flatten(order))
    names = {str(node.place): "-" if node.expected is None else str(node.expected) for node in grown.nodes}
    assert parents(table) == names
    assert parentages(table) == {str(node.place): grown.known(node) for node in grown.nodes}
