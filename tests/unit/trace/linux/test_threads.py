"""Counters of threads from a made-up /proc, and from this process's own."""

from __future__ import annotations

import threading
from pathlib import Path

from mlharness.trace.linux.threads import Schedstat, Use, list_threads, own_name, read_use, read_uses

STAT = "7 (bad) name (x) R 1 2 3 4 5 6 101 102 103 104 " + " ".join(map(str, range(14, 53)))
STATUS = "Name:\tpython\nvoluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t12\n"
SCHED = "python (7, #threads: 2)\n-----\nse.exec_start : 1.5\nse.nr_migrations                             :      4\n"


def put(tasks: Path, thread: int, **files: str) -> None:
    (tasks / str(thread)).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (tasks / str(thread) / name).write_text(text)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_every_counter_is_read(tmp_path: Path) -> None:
    put(tmp_path, 7, schedstat="500 600 70\n", status=STATUS, stat=STAT, sched=SCHED, comm="pool\n")
    assert read_uses(tmp_path) == {7: Use(500, 600, 11, 12, 4, 101, 103)}
    assert own_name(7, tmp_path) == "pool"
    assert own_name(8, tmp_path) == ""


def test_what_a_kernel_does_not_tell_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, 7, status="Name:\tpython\n", schedstat="0")
    assert read_use(7, tmp_path) == Use()
    assert read_use(8, tmp_path) == Use()
    assert Use().known() == {}


def test_use_since_a_moment_is_the_difference() -> None:
    assert Use(500, 600, 11, 12, None, 5, 0).since(Use(100, 200, 1, 2, None, 5, 0)) == Use(400, 400, 10, 10, None, 0, 0)
    assert Use(500).since(Use()) == Use(500)


def test_sums_are_read_of_threads_that_come_and_go(tmp_path: Path) -> None:
    put(tmp_path, 7, schedstat="500 600 70\n")
    files = Schedstat(tmp_path)
    assert files.read() == {7: (500, 600)}
    put(tmp_path, 7, schedstat="510 620 71\n")
    put(tmp_path, 8, schedstat="1 2 3\n")
    (tmp_path / "9").mkdir()  # has ended before its file could be opened
    assert files.read() == {7: (510, 620), 8: (1, 2)}
    files.close()


def test_a_thread_that_has_ended_is_forgotten() -> None:
    files, stop, ready = Schedstat(), threading.Event(), threading.Event()

    def wait() -> None:
        ready.set()
        stop.wait()

    other = threading.Thread(target=wait, name="short-lived")
    other.start()
    ready.wait()
    assert other.native_id in files.read()
    stop.set()
    other.join()
    while other.native_id in list_threads():  # the kernel takes a moment
        pass
    before = open_files()
    assert other.native_id not in files.read()
    assert open_files() == before - 1
    files.close()


def test_this_thread_used_cpu_time() -> None:
    me = threading.get_native_id()
    first = read_use(me)
    while read_use(me) == first:  # the kernel adds to it now and then
        pass
    used = read_use(me).since(first)
    assert all(value >= 0 for value in used.known().values())
    assert used.waits is not None
    assert used.minor_faults is not None
