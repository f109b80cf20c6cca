"""The parent's side of a runner: start it, follow it, and turn whatever becomes of it into an outcome or an error.

A runner has a session (and so a process group) of its own: Ctrl-C reaches only the parent, which then ends the group.
Its standard output and error go to a file, so that a framework's chatter never mixes with ``--json``.
"""

from __future__ import annotations

import json
import mmap
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import IO, Any

import msgspec

from mlharness.errors import RunError, UserError
from mlharness.interrupts import Interrupts, interruptible
from mlharness.runner.channel import COUNTERS, PATIENT_S
from mlharness.runner.job import Job, Message

REDRAW_S = 1.0
"""How often progress is told while a runner works; more often would take time from what is measured."""


class RunnerBug(Exception):  # noqa: N818  # it is a bug, and so called
    """An exception in mlharness's own code, in a runner; carries the runner's traceback."""


@dataclass
class Watch:
    """What a caller wants to be told: phases, progress (phase, done, total, elapsed seconds), other messages."""

    phase: Callable[[str, str, float | None], None] = lambda name, detail, expected_s: None
    progress: Callable[[str, int, int | None, float], None] = lambda phase, done, total, elapsed_s: None
    said: Callable[[Message], None] = lambda message: None


@dataclass
class Outcome:
    """Every message of a runner that ended well, by event; of a repeated event, all."""

    messages: list[Message] = field(default_factory=list)

    def one(self, event: str) -> Message:
        """The one message of that event. Raises RunError when the runner never sent it."""
        for message in self.messages:
            if message["event"] == event:
                return message
        raise RunError(f"the runner ended without sending {event!r}")

    def all(self, event: str) -> list[Message]:
        """Every message of that event, in order."""
        return [message for message in self.messages if message["event"] == event]


def run(job: Job, watch: Watch, log: Path, interpreter: str = sys.executable) -> Outcome:
    """Run one job in a runner process of its own.

    Args:
        job: what to do.
        watch: is told of phases and progress, on this thread.
        log: file to which the runner's output is appended.
        interpreter: the Python of the environment that has the framework.

    Raises:
        UserError, RunError: what the runner reported, that it was killed, or that it could not be started.
        RunnerBug: an exception that only a bug in mlharness explains.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the runner is ended first.
    """
    with interruptible() as interrupts, _runner(job, log, interpreter, interrupts) as (process, messages, counters):
        follow = _Follow(watch, counters, job.stall_timeout_s)
        with closing(_lines(messages, follow.tick, lambda: process.poll() is not None, interrupts)) as lines:
            for line in lines:
                follow.take(read_message(line))
                if follow.done:
                    break  # all is said and written; whatever hangs or crashes on the way out changes nothing
            else:
                process.wait()
    return follow.outcome(process.returncode, log)


@contextmanager
def _runner(
    job: Job, log: Path, interpreter: str, interrupts: Interrupts
) -> Iterator[tuple[subprocess.Popen[bytes], int, memoryview]]:
    """The running process, the pipe on which it talks, and its counters. All are gone afterwards."""
    reader, writer = os.pipe()
    shared = tempfile.TemporaryFile()  # noqa: SIM115  # closed below, after the process
    process = None
    try:
        shared.write(bytes(COUNTERS * 8))  # not a hole, into which a full disk would let nobody write
        shared.flush()
        with log.open("ab") as output:
            process = start(interpreter, (writer, shared.fileno()), output)
        interrupts.groups.add(process.pid)
        os.close(writer)
        writer = -1
        hand_over(job, process)
        yield process, reader, memoryview(mmap.mmap(shared.fileno(), COUNTERS * 8)).cast("q")
    finally:
        if process is not None:
            end_group(process)
            interrupts.groups.discard(process.pid)
        os.close(reader)
        if writer >= 0:
            os.close(writer)
        shared.close()


def start(interpreter: str, descriptors: tuple[int, int], output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a runner that talks on these descriptors. Raises UserError when there is no such interpreter."""
    try:
        return subprocess.Popen(
            [interpreter, "-m", "mlharness.runner", *map(str, descriptors)],
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            pass_fds=descriptors, start_new_session=True, env={**os.environ, "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
    except OSError as error:
        raise UserError(
            f"the interpreter {interpreter} cannot be started: {error.strerror}", "Install it again, or name another."
        ) from error


def hand_over(job: Job, process: subprocess.Popen[bytes]) -> None:
    """Write the job to the runner, whose standard input stays open: its end would tell the runner to stop."""
    assert process.stdin is not None, "asked for a pipe"
    with suppress(BrokenPipeError):  # it may die at once: the wait for its messages finds out how
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        process.stdin.flush()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a runner and everything that it started, and collect it.

    SIGKILL at once: the runner holds nothing that is worth saving, and native code may never return to a handler.
    """
    with suppress(ProcessLookupError):  # it may have ended by itself, and left nobody behind
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        with suppress(BrokenPipeError):  # it may have died before it had read its job
            process.stdin.close()
    process.wait()


def _lines(
    pipe: int, tick: Callable[[], None], ended: Callable[[], bool], interrupts: Interrupts
) -> Generator[bytes, None, None]:
    """Whole lines from the pipe until it closes; ``tick`` is called whenever a redraw is due.

    Raises KeyboardInterrupt within the moment in which a signal is noted.

    A runner that has ended may have left a process that holds the pipe open: what it still says is not waited for.
    """
    waiting, due = b"", monotonic() + REDRAW_S
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        selector.register(interrupts, selectors.EVENT_READ)
        while True:
            interrupts.check()
            over = ended()  # asked before looking, so that the last words of a runner are not lost
            ready = selector.select(0.0 if over else max(0.0, due - monotonic()))
            interrupts.check()
            if monotonic() >= due:
                tick()
                due = monotonic() + REDRAW_S
            if not ready:
                if over:
                    return
                continue
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                return
            *lines, waiting = (waiting + chunk).split(b"\n")
            yield from lines


def read_message(line: bytes) -> Message:
    """One message. Raises RunnerBug for a line that is none."""
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict) or "event" not in message:
        raise RunnerBug(f"a runner sent {line[:200]!r}, which is no message")
    return message


class _Follow:
    """What has been heard from a runner so far."""

    def __init__(self, watch: Watch, counters: memoryview, stall_timeout_s: float | None) -> None:
        self._watch, self._counters = watch, counters
        self._outcome = Outcome()
        self._failure: Message | None = None
        self._phase, self._total, self._since = "start", None, monotonic()
        self.done = False
        self._stall_timeout_s, self._stall_s = stall_timeout_s, PATIENT_S
        self._alive = (0, monotonic())
        """What the counters showed when the runner last gave a sign of life, and when that was."""

    def take(self, message: Message) -> None:
        """One message."""
        event = message["event"]
        self._alive = (0, monotonic())
        if event == "phase":
            self._phase, self._total, self._since = message["name"], message["total"], monotonic()
            self._stall_s = message["stall_s"]
            self._watch.phase(message["name"], message["detail"], message["expected_s"])
        elif event == "total":
            self._total = message["total"]
        elif event == "failure":
            self._failure = message
        elif event == "done":
            self.done = True
        else:
            self._outcome.messages.append(message)
            self._watch.said(message)

    def tick(self) -> None:
        """Tell the progress of the phase. Raises RunError when there has been none for too long."""
        done = sum(self._counters)
        self._check_alive(done)
        self._watch.progress(self._phase, done, self._total, monotonic() - self._since)

    def _check_alive(self, done: int) -> None:
        counted, since = self._alive
        limit = self._stall_timeout_s or self._stall_s
        if done != counted:
            self._alive = (done, monotonic())
        elif monotonic() - since > limit:
            raise RunError(
                f"the runner gave no sign of life for {limit:g} s in phase {self._phase!r}",
                "If the model is as slow as that, use --stall-timeout S.",
            )

    def outcome(self, code: int, log: Path) -> Outcome:
        """The outcome, or the error that the runner's end means."""
        if self._failure is not None:
            raise_failure(self._failure)
        if not self.done:
            hint = "The kernel does this when memory runs out. " if code == -signal.SIGKILL else ""
            raise RunError(
                f"the runner {describe_exit(code)} in phase {self._phase!r}", f"{hint}Its last words: {last_lines(log)}"
            )
        return self._outcome


def raise_failure(failure: Mapping[str, Any]) -> None:
    """Raise what a runner reported, as the kind of error that it is."""
    if failure["kind"] == "user":
        raise UserError(failure["message"], failure["remedy"])
    if failure["kind"] == "run":
        raise RunError(failure["message"], failure["remedy"])
    raise RunnerBug(failure["traceback"])


def describe_exit(code: int) -> str:
    """How a process ended that did not say so itself."""
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"was killed by {names.get(-code, f'signal {-code}')}"
    return f"left with exit code {code} without a word"


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a runner's output."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-count:]) or "none"
