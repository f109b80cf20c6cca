"""Threads by their pthread handles."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator

import pytest

from mlharness.trace import pthreads


@pytest.fixture
def waiting() -> Iterator[list[threading.Thread]]:
    """Three threads that live as long as the test."""
    done = threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield threads
    done.set()
    for thread in threads:
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the robust lists of threads")
def test_threads_that_python_does_not_know_are_found(
    waiting: list[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread()])
    found = pthreads.native_ids()
    assert {thread.ident: thread.native_id for thread in waiting}.items() <= found.items()
    assert found[threading.get_ident()] == threading.get_native_id()


def test_without_the_system_call_the_threads_of_python_are_known(
    waiting: list[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pthreads, "_GET_ROBUST_LIST", {})
    assert pthreads.native_ids() == {thread.ident: thread.native_id for thread in threading.enumerate()}


def test_a_library_that_keeps_the_lists_elsewhere_is_not_believed(
    waiting: list[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {thread.ident: 1 for thread in waiting} | {77: 78}
    monkeypatch.setattr(pthreads, "_by_robust_lists", lambda native, ident: wrong)
    assert pthreads.native_ids() == {thread.ident: thread.native_id for thread in threading.enumerate()}


def test_a_thread_that_has_ended_has_no_list(waiting: list[threading.Thread]) -> None:
    ended = threading.Thread(target=ctypes.c_int)
    ended.start()
    ended.join()
    assert ended.native_id is not None
    assert pthreads._robust_list(ended.native_id) == 0
