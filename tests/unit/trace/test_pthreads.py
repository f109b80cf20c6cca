"""Threads by their pthread handles."""

from __future__ import annotations

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


def test_a_thread_that_is_not_there_has_no_list() -> None:
    assert pthreads._robust_list(1 << 30) == 0


def test_handles_are_hashed_as_c_plus_plus_does() -> None:
    """As TensorFlow and MXNet named threads of these handles."""
    assert pthreads.hash_of(0x7F4737FFF6C0) == 956657749215997545
    assert pthreads.hash_of(0x7F4727FFF6C0) == (1 << 64) - 2311219897828147638
    assert pthreads.native_ids_by_hash()[pthreads.hash_of(threading.get_ident())] == threading.get_native_id()
