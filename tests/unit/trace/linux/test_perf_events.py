"""Perf events of this very process, where the kernel allows them, and what is said where it does not."""

from __future__ import annotations

import errno
import mmap
import os
import platform
import threading
from pathlib import Path

import pytest

from mlharness.trace.linux import perf_events
from mlharness.trace.linux.perf_events import LEAST_RING_BYTES, SOFTWARE, Counter, SwitchRing, paranoia, why_not
from mlharness.trace.linux.records import parse_records

PAGE_FAULTS = 2


def allowed() -> str:
    """Why this process may have no events; empty when it may."""
    try:
        SwitchRing(min(os.sched_getaffinity(0))).close()
    except OSError as error:
        return why_not(error)
    return ""


needs_events = pytest.mark.skipif(bool(allowed()), reason=allowed() or "allowed")


def ping_pong(rounds: int) -> None:
    """Two threads that wait for each other so often."""
    one, other = threading.Lock(), threading.Lock()
    other.acquire()

    def play(mine: threading.Lock, theirs: threading.Lock) -> None:
        for _ in range(rounds):
            mine.acquire()
            theirs.release()

    players = [threading.Thread(target=play, args=pair) for pair in ((one, other), (other, one))]
    for player in players:
        player.start()
    for player in players:
        player.join()


def record_ping_pong(rounds: int, drains: int, ring_bytes: int) -> tuple[int, int]:
    """How many switches were recorded and lost while it was played, with the rings emptied so often."""
    rings = [SwitchRing(cpu, ring_bytes) for cpu in sorted(os.sched_getaffinity(0))]
    parts: list[list[bytes]] = [[] for _ in rings]
    for ring in rings:
        ring.enable()
    for _ in range(drains):
        ping_pong(rounds // drains)
        for ring, part in zip(rings, parts, strict=True):
            part.append(ring.drain())
    ping_pong(2)  # a loss is told when there is room again
    for ring, part in zip(rings, parts, strict=True):
        ring.disable()
        part.append(ring.drain())
        assert ring.drain() == b""
        ring.close()
    found = parse_records(b"".join(part) for part in parts)
    assert found.unreadable == 0
    return len(found.switches), found.lost


@needs_events
def test_a_ring_that_is_emptied_in_time_goes_round_and_loses_nothing() -> None:
    switches, lost = record_ping_pong(rounds=3000, drains=100, ring_bytes=LEAST_RING_BYTES)
    assert lost == 0
    assert switches > 3000
    assert switches * 32 > 2 * LEAST_RING_BYTES * len(os.sched_getaffinity(0)), "it never went round"


@needs_events
def test_a_ring_that_is_full_counts_what_it_loses() -> None:
    _, lost = record_ping_pong(rounds=3000, drains=1, ring_bytes=LEAST_RING_BYTES)
    assert lost > 500


@needs_events
def test_nothing_is_recorded_before_and_after() -> None:
    ring = SwitchRing(min(os.sched_getaffinity(0)))
    ping_pong(10)
    assert ring.drain() == b""
    ring.close()


@needs_events
def test_a_thread_that_was_there_is_followed() -> None:
    go, done = threading.Event(), threading.Event()

    def wait() -> None:
        go.wait()
        done.set()

    other = threading.Thread(target=wait)
    other.start()
    rings = [SwitchRing(cpu) for cpu in sorted(os.sched_getaffinity(0))]
    for ring in rings:
        ring.follow(other.native_id or 0)
        ring.enable()
    go.set()
    other.join()
    found = parse_records([ring.drain() for ring in rings])
    for ring in rings:
        ring.close()
    assert other.native_id in found.switches["thread"]


@needs_events
def test_a_counter_counts_from_when_it_is_told_to() -> None:
    counter = Counter(SOFTWARE, PAGE_FAULTS)
    assert counter.read().value == 0
    counter.enable()
    touched = bytearray(1 << 24)
    touched[:: 1 << 12] = bytes(len(touched[:: 1 << 12]))
    count = counter.read()
    counter.close()
    assert count.value > 0
    assert not count.scaled


def test_a_ring_is_made_smaller_where_little_memory_may_be_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse(descriptor: int, size: int) -> None:
        asked.append(size)
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.raises(PermissionError):
        perf_events._mapped(5, 4 * LEAST_RING_BYTES)
    assert asked == [mmap.PAGESIZE + LEAST_RING_BYTES * factor for factor in (4, 2, 1)]


def test_a_machine_whose_number_is_not_known_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    assert allowed() == "this kernel has no perf events"


@pytest.mark.parametrize(
    ("code", "virtual", "words"),
    [
        (errno.ENOENT, True, "no performance counters in this virtual machine"),
        (errno.ENOENT, False, "no performance counters of this processor are known to the kernel"),
        (errno.EMFILE, False, "perf events cannot be opened: Too many open files"),
    ],
)
def test_a_refusal_is_told_in_words(monkeypatch: pytest.MonkeyPatch, code: int, virtual: bool, words: str) -> None:
    monkeypatch.setattr(perf_events, "virtualised", lambda: virtual)
    assert why_not(OSError(code, os.strerror(code))).startswith(words)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
@pytest.mark.parametrize(
    ("level", "why"),
    [
        ("4", "kernel.perf_event_paranoid is 4"),
        ("unknown", "kernel.perf_event_paranoid is unknown"),
        ("2", "a container's filter refuses them"),
        ("-1", "a container's filter refuses them"),
    ],
)
def test_who_refuses_is_told(monkeypatch: pytest.MonkeyPatch, code: int, level: str, why: str) -> None:
    monkeypatch.setattr(perf_events, "paranoia", lambda: level)
    assert why_not(OSError(code, "no")) == f"perf events are not allowed here: {why}"


def test_how_much_is_kept_from_users_is_read_from_the_kernel(tmp_path: Path) -> None:
    assert paranoia(tmp_path / "missing") == "unknown"
    (tmp_path / "paranoid").write_text("4\n")
    assert paranoia(tmp_path / "paranoid") == "4"
