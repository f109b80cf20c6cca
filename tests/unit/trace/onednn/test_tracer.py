"""The tracer: the primitives of the test and no others, what else is printed stays printed, and memory is bounded."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlharness.providers import TraceRequest
from mlharness.trace.clock import Anchor, measure_offset
from mlharness.trace.levels import LIBRARY
from mlharness.trace.onednn import TWO, VERBOSE, OneDnnTracer, unavailable
from mlharness.trace.onednn.tracer import FILE
from tests.unit.trace.onednn.told import HEADER_3, three

Make = Callable[..., OneDnnTracer]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A tracer with some arguments, in the test's folder."""
    request = TraceRequest(("library",), tmp_path, "torch", "cpu", {}, 1, 1)

    def tracer(**arguments: object) -> OneDnnTracer:
        return OneDnnTracer(request, "fake-onednn", **arguments)  # type: ignore[arg-type]  # each test gives its own

    return tracer


def now() -> str:
    """The wall clock as oneDNN tells it."""
    return f"{time.time_ns() / 1e6:.6f}"


def say(text: bytes) -> None:
    """As native code prints."""
    os.write(1, text)


def test_only_the_primitives_of_the_test_are_spans(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    tracer = make()
    tracer.start()
    say(HEADER_3.encode() + three(now()))  # loading and warming up
    tracer.begin()
    began = time.monotonic_ns()
    for _ in range(3):
        say(three(now()))
    ended = time.monotonic_ns()
    tracer.end()
    say(three(now()))
    spans = tracer.collect()
    table = spans.table(Anchor(measure_offset(), measure_offset()))
    assert len(table) == 3
    assert set(table.level.tolist()) == {LIBRARY}
    assert set(table.thread.tolist()) == {0}
    assert {table.text("kind", row) for row in range(3)} == {"convolution"}
    assert {table.text("name", row) for row in range(3)} == {"brgconv:avx512_core"}
    assert (table.start > began - 2_000).all()
    assert (table.start < ended + 2_000).all()
    assert (spans.dropped, spans.notes) == (0, [])
    assert capfd.readouterr().out == ""


def test_what_else_is_printed_reaches_standard_output(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    tracer = make()
    tracer.start()
    say(b"before the test\n")
    tracer.begin()
    say(b"in the test\nwithout an end")
    say(three(now()) + b"\xff\n")
    tracer.end()
    spans = tracer.collect()
    say(b"afterwards\n")
    assert capfd.readouterr().out == "before the test\nin the test\nwithout an end\ufffd\nafterwards\n"
    assert len(spans) == 0
    assert spans.notes == ["1 lines of oneDNN were not whole"]
    assert spans.dropped == 1


def test_a_switch_is_on_for_the_test_alone(make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []
    tracer = make(switch_on=lambda: calls.append("on"), switch_off=lambda: calls.append("off"))
    tracer.start()
    say(b"not captured\n")
    assert not (tmp_path / FILE).exists()
    tracer.begin()
    assert calls == ["on"]
    say(three(now()))
    tracer.end()
    assert calls == ["on", "off"]
    say(three(now()))
    assert len(tracer.collect()) == 1
    assert capfd.readouterr().out.startswith("not captured\nonednn_verbose,v1,")


def test_a_switch_that_fails_leaves_standard_output_alone(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError("no verbose mode")

    tracer = make(switch_on=fail)
    tracer.start()
    with pytest.raises(RuntimeError, match="no verbose mode"):
        tracer.begin()
    say(b"still printed\n")
    assert capfd.readouterr().out == "still printed\n"


def test_the_environment_is_set_and_restored(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_VERBOSE", "0")
    monkeypatch.delenv("ONEDNN_VERBOSE_TIMESTAMP", raising=False)
    tracer = make(environment=VERBOSE)
    tracer.start()
    assert {name: os.environ[name] for name in VERBOSE} == VERBOSE
    tracer.begin()
    tracer.end()
    tracer.collect()
    assert os.environ["ONEDNN_VERBOSE"] == "0"
    assert "ONEDNN_VERBOSE_TIMESTAMP" not in os.environ
    assert set(TWO.values()) == {"1"}


def test_what_comes_after_the_limit_is_counted(make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tracer = make(most_bytes=10_000)
    tracer.start()
    say(three(now()) * 100)  # the warm-up does not count
    tracer.begin()
    while tracer._capture.dropped < 20:
        say(three(now()) + b"and this\n")
        time.sleep(0.001)
    kept = (tmp_path / FILE).read_bytes().count(b"onednn_verbose") - 100
    printed = 20 + kept
    tracer.end()
    spans = tracer.collect()
    assert len(spans) == kept
    assert spans.dropped >= 20
    assert spans.notes == [f"{spans.dropped} primitives came after 0 MB of lines, and were not kept"]
    assert capfd.readouterr().out.count("and this\n") == len(spans) + spans.dropped >= printed


def test_times_outside_the_test_are_counted(make: Make, tmp_path: Path) -> None:
    tracer = make()
    tracer.start()
    tracer.begin()
    say(three("1000.5") + three(now()))
    tracer.end()
    spans = tracer.collect()
    assert (len(spans), spans.dropped) == (1, 1)
    assert spans.notes == ["1 primitives had a time outside the test"]
    assert (tmp_path / FILE).is_file(), "what is not understood is kept to be looked at"


def test_a_file_that_was_understood_goes(make: Make, tmp_path: Path) -> None:
    tracer = make()
    tracer.start()
    tracer.begin()
    say(three(now()))
    tracer.end()
    tracer.collect()
    assert not (tmp_path / FILE).exists()


def test_without_oneDNN_there_is_a_reason() -> None:  # noqa: N802  # the library's name
    assert unavailable("PyTorch", False) == "this build of PyTorch has no oneDNN"
    assert unavailable("PyTorch", True, "cuda:0") == "oneDNN computes on the CPU, and this run is on cuda:0"
    assert unavailable("PyTorch", True) == ""


SCRIPT = """
    import ctypes, os, sys, threading, time
    from pathlib import Path
    from mlharness.providers import TraceRequest
    from mlharness.trace.onednn import OneDnnTracer
    tracer = OneDnnTracer(TraceRequest(("library",), Path(sys.argv[1]), "torch", "cpu", {}, 1, 1), "fake")
    libc = ctypes.CDLL(None)
    def say(text):
        libc.printf(text + b"\\n"); libc.fflush(None)
    print("start")
    tracer.start(); tracer.begin()
    line = b"onednn_verbose,v1,%.6f,primitive,exec,cpu,reorder,jit,undef,,,,1x2,0.5" % (time.time_ns() / 1e6)
    say(line)
    print("python", flush=True)
    threads = [threading.Thread(target=say, args=(b"native %d" % number,)) for number in range(3)]
    [thread.start() for thread in threads]; [thread.join() for thread in threads]
"""


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own, since pytest has taken standard output from this one."""
    command = [sys.executable, "-c", textwrap.dedent(script), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prints_of_python_and_of_other_threads_arrive(tmp_path: Path) -> None:
    done = run(
        SCRIPT + "    tracer.end(); spans = tracer.collect(); print(len(spans), sys.stdout.fileno())\n", tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["start", "python"]
    assert sorted(done.stdout.splitlines()[2:-1]) == ["native 0", "native 1", "native 2"]
    assert done.stdout.splitlines()[-1] == "1 1"


def test_a_killed_process_leaves_its_lines(tmp_path: Path) -> None:
    done = run(SCRIPT + "    os.kill(os.getpid(), 9)\n", tmp_path)
    assert done.returncode == -9
    assert b",exec,cpu,reorder,jit," in (tmp_path / FILE).read_bytes()


def test_a_process_that_ends_in_the_test_has_its_standard_output(tmp_path: Path) -> None:
    done = run(SCRIPT + "    import atexit; sys.stdout.write('the last word')\n", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("the last word")
