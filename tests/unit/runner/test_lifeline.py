"""A runner and what it started end when its parent's pipe closes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from mlharness.runner.family import MARK, members

PROGRAM = """
import subprocess, sys, time
from mlharness.runner.lifeline import hold
hold(0, ())
same = subprocess.Popen(["sleep", "600"])
other = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(same.pid, other.pid, sys.stdin.readline().strip(), flush=True)
time.sleep(600)
"""


def test_the_end_of_the_pipe_is_the_end_of_the_family(tmp_path: Path) -> None:
    environment = {**os.environ, MARK: "a-mark-of-its-own"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"words\n")
        process.stdin.flush()
        same, other, words = process.stdout.readline().split()
        assert words == b"words"  # the guard reads nothing
        assert {int(same), int(other), process.pid} <= set(members("a-mark-of-its-own"))
        assert process.poll() is None
        children = [psutil.Process(int(child)) for child in (same, other)]
        process.stdin.close()
        process.wait(timeout=60)
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


def test_nobody_else_has_the_mark() -> None:
    assert members("a-mark-that-nobody-has") == []
