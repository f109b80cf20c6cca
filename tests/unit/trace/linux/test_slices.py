"""From switches to slices: complete where the records are, silent where they are not."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.trace.linux.records import IN, OUT, PREEMPTED, SWITCH, Records, parse_records
from mlharness.trace.linux.slices import BLOCKED, RUNNING, WAITING, Slices, Window, lengths, migrations, timelines
from tests.unit.trace.linux.test_records import RECORDED

WINDOW = Window(100, 200, {7: 0.0})


class Slice(NamedTuple):
    """One row of the slices."""

    kind: int
    start: int
    end: int
    cpu: int


def slices_of(*switches: tuple[int, int, int], window: Window = WINDOW, **others: dict[int, int]) -> Slices:
    """The slices of thread 7 with these switches: time, what and CPU."""
    rows = np.array([(7, *switch) for switch in switches], SWITCH)
    return timelines(Records(rows, **others), window)[7]  # type: ignore[arg-type]  # some of the fields


def of(*switches: tuple[int, int, int], window: Window = WINDOW, **others: dict[int, int]) -> list[Slice]:
    """The same as a list."""
    return [Slice(*row) for row in slices_of(*switches, window=window, **others).tolist()]


def test_a_thread_that_was_there_has_slices_for_the_whole_window() -> None:
    found = of((110, OUT, 0), (130, IN, 1), (150, PREEMPTED, 1), (160, IN, 1))
    assert found == [
        Slice(RUNNING, 100, 110, 0), Slice(BLOCKED, 110, 130, -1), Slice(RUNNING, 130, 150, 1),
        Slice(WAITING, 150, 160, -1), Slice(RUNNING, 160, 200, 1),
    ]  # fmt: skip


def test_slices_add_up_and_show_migrations() -> None:
    found = slices_of((110, OUT, 0), (130, IN, 1), (150, PREEMPTED, 1), (160, IN, 0))
    assert lengths(found) == {"running": 70, "preempted": 10, "blocked": 20}
    assert migrations(found) == 2


def test_a_thread_that_comes_first_was_blocked_before() -> None:
    assert of((140, IN, 0)) == [Slice(BLOCKED, 100, 140, -1), Slice(RUNNING, 140, 200, 0)]


def test_a_thread_that_was_made_begins_with_its_birth_and_ends_with_its_end() -> None:
    window = Window(100, 200, {})
    found = of((130, IN, 0), window=window, born={7: 120}, ended={7: 150})
    assert found == [Slice(BLOCKED, 120, 130, -1), Slice(RUNNING, 130, 150, 0)]
    assert of((130, IN, 0), window=window) == [Slice(RUNNING, 130, 200, 0)]


@pytest.mark.parametrize(("share", "kind"), [(1.0, RUNNING), (0.0, BLOCKED)])
def test_a_thread_without_a_switch_ran_or_did_not(share: float, kind: int) -> None:
    assert of(window=Window(100, 200, {7: share})) == [Slice(kind, 100, 200, -1)]


def test_between_two_records_that_do_not_fit_nothing_is_told() -> None:
    found = of((110, IN, 0), (130, IN, 0), (150, OUT, 0), (170, OUT, 0))
    assert found == [
        Slice(BLOCKED, 100, 110, -1), Slice(RUNNING, 130, 150, 0), Slice(BLOCKED, 170, 200, -1),
    ]  # fmt: skip


def test_switches_outside_the_window_do_not_count() -> None:
    assert of((50, IN, 0), (250, OUT, 0)) == [Slice(BLOCKED, 100, 200, -1)]


@given(st.lists(st.tuples(st.integers(1, 50), st.sampled_from([OUT, PREEMPTED])), min_size=1, max_size=40))
def test_slices_of_complete_records_follow_each_other_and_fill_the_window(steps: list[tuple[int, int]]) -> None:
    switches, now, running, ran = [], 0, True, 0
    for length, how in steps:
        now, ran = now + length, ran + (length if running else 0)
        switches.append((now, how if running else IN, 0))
        running = not running
    end = now + 10
    found = of(*switches, window=Window(0, end, {7: 1.0}))
    assert found[0].start == 0
    assert found[-1].end == end
    assert all(first.end == second.start for first, second in pairwise(found))
    assert sum(one.end - one.start for one in found if one.kind == RUNNING) == ran + (10 if running else 0)


def test_the_recorded_rings_show_who_slept_and_who_computed() -> None:
    records = parse_records((RECORDED / f"cpu{cpu}.ring").read_bytes() for cpu in (0, 1))
    main, sleeper = 31236, 31248
    start, end = int(records.switches["time"].min()) - 1_000, records.ended[sleeper] + 1_000
    found = timelines(records, Window(start, end, {main: 1.0}))
    slept = found[sleeper][found[sleeper]["kind"] == BLOCKED]
    assert np.count_nonzero(slept["end"] - slept["start"] > 1_900_000) >= 3
    assert sum(lengths(found[main]).values()) == end - start
    assert lengths(found[main])["running"] > 0.4 * (end - start)
    assert found[sleeper]["end"][-1] == records.ended[sleeper]
    assert set(found[sleeper]["cpu"][found[sleeper]["kind"] == RUNNING].tolist()) == {0}
