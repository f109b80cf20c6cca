"""A runner ends when its parent's pipe closes."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = "import time; from mlharness.runner.lifeline import hold; hold(0); print('held', flush=True); time.sleep(600)"


def test_the_end_of_the_pipe_is_the_end_of_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.stdin.write(b"more words")
        process.stdin.flush()
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=60) == 130
