"""Runs pip and venv: each a process group of its own, that Ctrl-C ends and nothing outlives."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path

from packaging.version import Version

from mlharness.errors import UserError
from mlharness.interrupts import Interrupts, interruptible

Say = Callable[[str], None]
LAST_LINES = 8
OLDEST_PIP = "22.3"
"""The first pip that has ``--python``, by which the pip beside mlh serves every environment."""
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
"""Variables that would bring packages of the environment in which mlh runs into another."""
PIP = ("--no-input", "--disable-pip-version-check")


def pip(python: Path, command: Sequence[str], what: str, say: Say) -> None:
    """Run pip for an interpreter.

    The pip is that beside mlh, not the environment's own: one version for all, a new environment is made in a moment,
    and holds nothing but what was asked for.

    Args:
        python: the interpreter into whose environment pip installs.
        command: pip's command and its arguments.
        what: what is being done, as an error says that it failed.
        say: is told every line that pip prints.

    Raises:
        UserError: pip failed (with its last lines), or is not there.
        KeyboardInterrupt: Ctrl-C; pip has been ended.
    """
    check_pip()
    run([sys.executable, "-m", "pip", "--python", str(python), *command[:1], *PIP, *command[1:]], what, say)


def check_pip() -> None:
    """Raise UserError unless a pip that is new enough stands beside mlh."""
    try:
        version = metadata.version("pip")
    except metadata.PackageNotFoundError:
        raise UserError(f"there is no pip beside {sys.executable}", f"Run: {sys.executable} -m ensurepip") from None
    if Version(version) < Version(OLDEST_PIP):
        remedy = f"Run: {sys.executable} -m pip install --upgrade pip"
        raise UserError(f"pip {version} is too old: environments need {OLDEST_PIP}", remedy)


def run(command: Sequence[str], what: str, say: Say) -> None:
    """Run a program to its end. Raises as :func:`pip` does."""
    last: deque[str] = deque(maxlen=LAST_LINES)

    def keep(line: str) -> None:
        say(line)
        if line.strip():
            last.append(line)

    with interruptible() as interrupts:
        code = _run(command, keep, interrupts)
    if code != 0:
        words = "\n".join(f"  {line}" for line in last) or "  (it said nothing)"
        raise UserError(f"{what} failed; the last lines were:\n{words}", "Mend what they name; -v shows all of them.")


def _run(command: Sequence[str], say: Say, interrupts: Interrupts) -> int:
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, env=clean_environment(),
        )  # fmt: skip
    except OSError as error:
        raise UserError(f"{command[0]} cannot be started: {error.strerror}", "Install it again.") from error
    interrupts.endings[process.pid] = partial(kill_group, process.pid)
    try:
        _follow(process, say, interrupts)
        return process.wait()
    except BaseException:
        kill_group(process.pid)
        raise
    finally:
        process.wait()
        del interrupts.endings[process.pid]
        assert process.stdout is not None, "asked for a pipe"
        process.stdout.close()


def kill_group(group: int) -> None:
    """SIGKILL to a process group, unless it has just ended by itself."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _follow(process: subprocess.Popen[bytes], say: Say, interrupts: Interrupts) -> None:
    """Hand on lines until the process closes its output; raises KeyboardInterrupt as soon as a signal is noted."""
    assert process.stdout is not None, "asked for a pipe"
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(interrupts, selectors.EVENT_READ)
        while True:
            interrupts.check()
            selector.select()
            interrupts.check()
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines if chunk else [waiting]:
                say(line.decode("utf-8", "replace").rstrip())
            if not chunk:
                return


def clean_environment() -> Mapping[str, str]:
    """This process's variables without those that carry its own packages along.

    Everything by which pip is told where to look (``PIP_INDEX_URL``, ``PIP_FIND_LINKS`` ...) stays.
    """
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    # The version of a framework is looked up for an interpreter outside of any environment; nothing is installed there.
    return {**kept, "PIP_REQUIRE_VIRTUALENV": "0"}
