"""The parent's side of a runner: start it, follow it, and turn whatever becomes of it into an outcome or an error.

A runner has a session (and so a process group) of its own: Ctrl-C reaches only the parent, which then ends the group.
Its standard output and error go to a file, so that a framework's chatter never mixes with ``--json``.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter_ns
from typing import IO, Any

import msgspec

from mlharness.errors import RunError, UserError
from mlharness.interrupts import Interrupts, interruptible
from mlharness.plan import RunPlan
from mlharness.runner.channel import PATIENT_S, SHARED_BYTES, shared_views
from mlharness.runner.family import MARK, end_family
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
    with interruptible() as interrupts, _runner(job, log, interpreter, interrupts) as (process, messages, shared):
        follow = _Follow(watch, job, shared)
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
) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """The running process, the pipe on which it talks, and its shared memory. All are gone afterwards."""
    reader, writer = os.pipe()
    shared = tempfile.TemporaryFile()  # noqa: SIM115  # closed below, after the process
    process, mark = None, secrets.token_hex(8)
    try:
        shared.write(bytes(SHARED_BYTES))  # not a hole, into which a full disk would let nobody write
        shared.flush()
        with log.open("ab") as output:
            process = start(interpreter, (writer, shared.fileno()), output, mark)
        interrupts.endings[process.pid] = partial(end_family, mark, process.pid)
        os.close(writer)
        writer = -1
        hand_over(job, process)
        yield process, reader, shared.fileno()
    finally:
        if process is not None:
            end(process, mark)
            del interrupts.endings[process.pid]
        os.close(reader)
        if writer >= 0:
            os.close(writer)
        shared.close()


def start(interpreter: str, descriptors: tuple[int, int], output: IO[bytes], mark: str) -> subprocess.Popen[bytes]:
    """Start a runner that talks on these descriptors and carries the mark. Raises UserError when it cannot be."""
    isolated, environment = how_to_start(interpreter)
    try:
        return subprocess.Popen(
            [interpreter, *isolated, "-m", "mlharness.runner", *map(str, descriptors)],
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            pass_fds=descriptors, start_new_session=True, env={**environment, MARK: mark},
        )  # fmt: skip
    except OSError as error:
        raise UserError(
            f"the interpreter {interpreter} cannot be started: {error.strerror}", "Install it again, or name another."
        ) from error


def how_to_start(interpreter: str) -> tuple[list[str], dict[str, str]]:
    """Python's options and the environment variables of a runner.

    Another environment than this one must not find this one's packages, which stand before its own in PYTHONPATH: it
    is started isolated, without the variables that whatever it starts would follow, and with its own programs first.
    """
    if interpreter == sys.executable:
        return [], {**os.environ, "PYTHONSAFEPATH": "1"}
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    path = os.pathsep.join([str(Path(interpreter).parent), os.environ.get("PATH", os.defpath)])
    return ["-I"], {**kept, "PATH": path, "PYTHONSAFEPATH": "1"}


def hand_over(job: Job, process: subprocess.Popen[bytes]) -> None:
    """Write the job to the runner, whose standard input stays open: its end would tell the runner to stop."""
    assert process.stdin is not None, "asked for a pipe"
    with suppress(BrokenPipeError):  # it may die at once: the wait for its messages finds out how
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        process.stdin.flush()


def end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End a runner and everything that it started, and collect it.

    SIGKILL at once: the runner holds nothing that is worth saving, and native code may never return to a handler.
    """
    end_family(mark, process.pid)
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

    def __init__(self, watch: Watch, job: Job, shared: int) -> None:
        self._watch, self._plan, self._stall_timeout_s = watch, job.plan, job.stall_timeout_s
        self._counters, self._busy = shared_views(shared)
        self._outcome = Outcome()
        self._failure: Message | None = None
        self._phase, self._total, self._since = "start", None, monotonic()
        self.done = False
        self._stall_s = PATIENT_S
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
        stuck = self._busiest(limit)
        if stuck or (done == counted and monotonic() - since > limit):
            raise RunError(
                f"{stuck or self._who()} gave no sign of life for {limit:g} s in phase {self._phase!r}",
                "If the model is as slow as that, use --stall-timeout S.",
            )

    def _busiest(self, limit_s: float) -> str:
        """The instance that has been at one batch for longer than the limit; empty when there is none.

        The others may go on for as long as the test lasts: LoadGen waits for the last sample only.
        """
        longest = min(filter(None, self._busy), default=None)
        if longest is None or perf_counter_ns() - longest < limit_s * 1e9:
            return ""
        return self._instance(self._busy.tolist().index(longest))

    def _who(self) -> str:
        """Who is at work, as far as the runner's marks or its phase tell, for messages."""
        at_work = [self._instance(slot) for slot, mark in enumerate(self._busy) if mark]
        responsible = {} if self._plan is None else responsible_plugins(self._plan)
        of = f" of {responsible[self._phase]}" if self._phase in responsible else ""
        return ", ".join(at_work[:3]) or f"the runner{of}"

    def _instance(self, slot: int) -> str:
        """An instance by its number, with what it does, and whose code that is."""
        if self._plan is None:
            return f"instance {slot}"
        if self._busy[slot] & 1:
            steps = ", ".join(step.name for step in self._plan.postprocess)
            return f"instance {slot} in postprocessing ({steps or 'no step'})"
        return f"instance {slot} in predict of {self._plan.framework.plugin}"

    def outcome(self, code: int, log: Path) -> Outcome:
        """The outcome, or the error that the runner's end means."""
        if self._failure is not None:
            raise_failure(self._failure)
        if not self.done:
            hint = "The kernel does this when memory runs out. " if code == -signal.SIGKILL else ""
            raise RunError(
                f"{self._who()} {describe_exit(code)} in phase {self._phase!r}",
                f"{hint}Its last words: {last_lines(log)}",
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


def responsible_plugins(plan: RunPlan) -> Mapping[str, str]:
    """Whose code runs in a phase in which no instance is at a batch."""
    steps = {plan.dataset.plugin, *(step.plugin for step in plan.preprocess)}
    return {
        "load": plan.framework.plugin,
        "warmup": plan.framework.plugin,
        "samples": " and ".join(sorted(steps)),
        "score": plan.metric.plugin if plan.metric else "",
    }


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a runner's output."""
    text = log.read_text(errors="replace").strip().splitlines()
    lines = [line for line in text if not line.startswith("Extension modules:")]  # faulthandler's list of packages
    return " | ".join(lines[-count:]) or "none"
