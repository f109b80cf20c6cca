"""Probes are called on one thread, which lives no longer than they do."""

from __future__ import annotations

import threading

import pytest

from mlharness.trace.sampler import THREAD, Sampler, own_threads


class Counting:
    """A probe that says when it was called so often, and then raises if it was told to."""

    def __init__(self, times: int, error: BaseException | None = None) -> None:
        self.calls, self.done, self.times, self.error = 0, threading.Event(), times, error
        self.threads: set[int] = set()

    def __call__(self, now_ns: int) -> None:
        self.calls += 1
        self.threads.add(threading.get_native_id())
        if self.calls >= self.times:
            self.done.set()
            if self.error is not None:
                raise self.error


def test_all_probes_share_one_thread_that_ends_with_the_last() -> None:
    sampler, first, second = Sampler(0.001), Counting(3), Counting(3)
    sampler.add(first)
    sampler.add(second)
    assert first.done.wait(10)
    assert second.done.wait(10)
    assert first.threads == second.threads == own_threads()
    sampler.remove(first)
    seen = first.calls
    second.done.clear()
    assert second.done.wait(10)
    assert first.calls == seen
    sampler.remove(second)
    assert THREAD not in {one.name for one in threading.enumerate()}


def test_it_can_be_used_again() -> None:
    sampler = Sampler(0.001)
    for _ in range(2):
        probe = Counting(1)
        sampler.add(probe)
        assert probe.done.wait(10)
        sampler.remove(probe)
    assert not own_threads()


def test_a_probe_that_raises_is_called_no_more_and_the_others_are() -> None:
    sampler, bad, good = Sampler(0.001), Counting(2, ValueError("nonsense")), Counting(5)
    sampler.add(bad)
    sampler.add(good)
    assert bad.done.wait(10)
    assert good.done.wait(10)
    good.done.clear()
    assert good.done.wait(10)
    with pytest.raises(ValueError, match="nonsense"):
        sampler.remove(bad)
    assert bad.calls == 2
    sampler.remove(good)
