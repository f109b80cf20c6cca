"""The parent's side, with runners that are small scripts: whatever they do, there is an outcome or an honest error."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlharness import supervise
from mlharness.errors import RunError, UserError
from mlharness.interrupts import SIGNALS, Interrupts, interruptible
from mlharness.plan import PlannedStep
from mlharness.runner.job import FetchJob, Job
from mlharness.supervise import Outcome, RunnerBug, Watch, how_to_start, run
from tests.unit.runner.making import a_plan

HEAD = """#!{python} -I
import json, mmap, os, signal, subprocess, sys, time
pipe, counters = map(int, sys.argv[-2:])
def send(event, **fields):
    os.write(pipe, json.dumps(dict(fields, event=event)).encode() + b"\\n")
def phase(name, total=None, stall_s=60):
    send("phase", name=name, detail="", expected_s=None, total=total, stall_s=stall_s)
def fail(kind):
    send("failure", kind=kind, phase="load", message="what", remedy="how", traceback="Traceback: here")
"""
JOB = Job("measure", directory="nowhere")

RunScript = Callable[..., Outcome]


@pytest.fixture
def run_script(tmp_path: Path) -> RunScript:
    """``run_script(body, watch, job)``: what becomes of a runner with this body."""

    def run_it(body: str, watch: Watch | None = None, job: Job = JOB) -> Outcome:
        script = tmp_path / "runner"
        script.write_text(HEAD.format(python=sys.executable) + body)
        script.chmod(0o755)
        return run(job, watch or Watch(), tmp_path / "runner.log", str(script))

    return run_it


def test_messages_by_event_and_in_order(run_script: RunScript) -> None:
    outcome = run_script('send("fetched", n=1)\nsend("prepared")\nsend("fetched", n=2)\nsend("done")')
    assert [message["n"] for message in outcome.all("fetched")] == [1, 2]
    assert outcome.one("prepared") == {"event": "prepared"}
    assert outcome.all("scored") == []
    with pytest.raises(RunError, match="without sending 'scored'"):
        outcome.one("scored")


def test_the_job_comes_as_one_line_and_standard_input_stays_open(run_script: RunScript) -> None:
    body = """
import select
line = sys.stdin.buffer.readline()
open_ = not select.select([sys.stdin], [], [], 0.05)[0]
send("heard", job=json.loads(line), open=open_)
send("done")
"""
    job = Job("fetch", ("a-plugin",), fetch=FetchJob((("file:///x\n", None),), "/base"))
    heard = run_script(body, job=job).one("heard")
    assert heard["job"]["verb"] == "fetch"
    assert heard["job"]["fetch"]["files"] == [["file:///x\n", None]]
    assert heard["open"]


def test_messages_in_pieces_and_larger_than_a_pipe(run_script: RunScript) -> None:
    body = """
line = json.dumps({"event": "large", "text": "x" * 300_000}).encode() + b"\\n"
for start in range(0, len(line), 7_001):
    os.write(pipe, line[start:start + 7_001])
send("done")
"""
    assert len(run_script(body).one("large")["text"]) == 300_000


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [("user", UserError, "what\nhow"), ("run", RunError, "what\nhow"), ("bug", RunnerBug, "Traceback: here")],
)
def test_a_failure_is_raised_as_what_it_is(
    run_script: RunScript, kind: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        run_script(f'phase("load")\nfail("{kind}")\nos._exit(3)')
    assert str(caught.value) == words


def test_a_failure_after_results_is_a_failure(run_script: RunScript) -> None:
    with pytest.raises(RunError, match="what"):
        run_script('send("measured")\nfail("run")\nos._exit(3)')


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("os._exit(0)", "left with exit code 0 without a word"),
        ("sys.exit(7)", "left with exit code 7 without a word"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 3)", f"was killed by signal {signal.SIGRTMIN + 3}"),
        ("os.close(pipe)\ntime.sleep(0.2)\nos.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
    ],
)
def test_a_runner_that_just_ends(run_script: RunScript, end: str, words: str) -> None:
    with pytest.raises(RunError) as caught:
        run_script(f'phase("measure")\nprint("oh no", flush=True)\nsend("measured")\n{end}')
    assert caught.value.message == f"the runner {words} in phase 'measure'"
    assert "oh no" in caught.value.remedy


def test_one_that_ends_before_its_first_phase(run_script: RunScript) -> None:
    with pytest.raises(RunError, match="in phase 'start'") as caught:
        run_script("pass")
    assert caught.value.remedy == "Its last words: none"


@pytest.mark.parametrize("garbage", ["{", "[1, 2]", "17", '{"no": "event"}', "\\xff\\xfe"])
def test_garbage_on_the_pipe_is_a_bug_and_shown(run_script: RunScript, garbage: str) -> None:
    with pytest.raises(RunnerBug, match="which is no message"):
        run_script(f"os.write(pipe, b'''{garbage}\\n''')\ntime.sleep(60)")


def test_an_unfinished_message_is_no_message(run_script: RunScript) -> None:
    with pytest.raises(RunError, match="without a word"):
        run_script("""os.write(pipe, b'{"event": "done"}')""")


def test_done_is_the_end_whatever_hangs_afterwards(run_script: RunScript) -> None:
    assert run_script('send("measured")\nsend("done")\ntime.sleep(600)').one("measured")


def test_what_the_runner_prints_is_kept_apart(run_script: RunScript, tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "runner.log").write_text("of an earlier runner\n")
    run_script('print("chatter")\nprint("more", file=sys.stderr)\nsys.stdout.flush()\nsend("done")')
    kept = (tmp_path / "runner.log").read_text()
    assert kept.startswith("of an earlier runner\n")
    assert {"chatter", "more"} <= set(kept.splitlines())
    assert capfd.readouterr() == ("", "")


def test_phases_and_progress_are_told(run_script: RunScript, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "REDRAW_S", 0.01)
    phases: list[tuple[str, str, float | None]] = []
    seen: list[tuple[str, int, int | None]] = []
    watch = Watch(
        lambda *phase: phases.append(phase), lambda name, done, total, elapsed_s: seen.append((name, done, total))
    )
    body = """
phase("samples", total=10)
view = memoryview(mmap.mmap(counters, 0)).cast("q")
view[0], view[4095] = 3, 4
time.sleep(0.2)
send("total", total=20)
time.sleep(0.2)
send("done")
"""
    run_script(body, watch)
    assert phases == [("samples", "", None)]
    assert ("samples", 7, 10) in seen
    assert seen[-1] == ("samples", 7, 20)


def test_a_talkative_runner_does_not_keep_progress_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download tells its total with every piece that comes: there is always something to read."""
    monkeypatch.setattr(supervise, "REDRAW_S", 0.0)
    ticks: list[int] = []
    reader, writer = os.pipe()
    try:
        os.write(writer, b"a line\n" * 1000)
        os.close(writer)
        interrupts = Interrupts()
        assert list(supervise._lines(reader, lambda: ticks.append(1), lambda: False, interrupts)) == [b"a line"] * 1000
        interrupts.close()
    finally:
        os.close(reader)
    assert ticks


def test_a_process_that_keeps_the_pipe_open_is_not_waited_for(
    run_script: RunScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "REDRAW_S", 0.05)
    body = """
child = subprocess.Popen(["sleep", "600"], pass_fds=(pipe,))
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with pytest.raises(RunError, match="was killed by SIGKILL") as caught:
        run_script(body)
    assert_gone(int(caught.value.remedy.rpartition(" ")[2]))


def assert_gone(pid: int) -> None:
    """The process has ended (a container without an init may leave it a zombie)."""
    try:
        psutil.Process(pid).wait(timeout=10)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_runner_without_a_sign_of_life_is_ended(run_script: RunScript, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "REDRAW_S", 0.01)
    with pytest.raises(RunError, match=r"no sign of life for 0\.1 s in phase 'measure'") as caught:
        run_script('phase("measure", stall_s=0.1)\ntime.sleep(600)')
    assert "--stall-timeout" in caught.value.remedy


def test_the_users_patience_counts_before_the_phases(run_script: RunScript, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "REDRAW_S", 0.01)
    body = 'phase("measure", stall_s={})\ntime.sleep({})\nsend("done")'
    run_script(body.format(0.01, 0.3), job=Job("measure", stall_timeout_s=300.0))
    with pytest.raises(RunError, match=r"for 0\.1 s"):
        run_script(body.format(300, 600), job=Job("measure", stall_timeout_s=0.1))


def test_counting_is_a_sign_of_life(run_script: RunScript, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "REDRAW_S", 0.01)
    body = """
view = memoryview(mmap.mmap(counters, 0)).cast("q")
phase("measure", stall_s=5)
for n in range(20):
    view[1] += 1
    time.sleep(0.02)
send("done")
"""
    assert run_script(body).messages == []


@pytest.mark.parametrize(
    ("mark", "words"),
    [(0, "instance 1 in predict of builtin-null"), (1, "instance 1 in postprocessing (tensor.argmax)")],
)
def test_one_instance_that_hangs_while_others_go_on(
    run_script: RunScript, monkeypatch: pytest.MonkeyPatch, mark: int, words: str
) -> None:
    monkeypatch.setattr(supervise, "REDRAW_S", 0.01)
    body = f"""
view = memoryview(mmap.mmap(counters, 0)).cast("q")
phase("measure", stall_s=0.3)
view[4096 + 1] = time.perf_counter_ns() & ~1 | {mark}
for n in range(1000):
    view[0] += 1
    time.sleep(0.01)
send("done")
"""
    job = Job("measure", directory="nowhere", plan=a_plan(postprocess=(PlannedStep("tensor.argmax", "p", {}),)))
    with pytest.raises(RunError, match=re.escape(f"{words} gave no sign of life for 0.3 s in phase 'measure'")):
        run_script(body, job=job)


def test_a_crash_is_blamed_on_whoever_was_at_work(run_script: RunScript) -> None:
    body = """
view = memoryview(mmap.mmap(counters, 0)).cast("q")
phase("{}")
view[4096] = {}
os.kill(os.getpid(), signal.SIGSEGV)
time.sleep(600)
"""
    job = Job("measure", directory="nowhere", plan=a_plan())
    with pytest.raises(RunError, match="instance 0 in predict of builtin-null was killed by SIGSEGV"):
        run_script(body.format("measure", 2), job=job)
    with pytest.raises(RunError, match="the runner of builtin-null was killed by SIGSEGV in phase 'load'"):
        run_script(body.format("load", 0), job=job)


def test_whatever_interrupts_the_wait_ends_the_runner_and_its_children(
    run_script: RunScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "REDRAW_S", 0.01)
    body = """
child = subprocess.Popen(["sleep", "600"])
apart = subprocess.Popen(["sleep", "600"], start_new_session=True)
with open({file!r}, "w") as file:
    json.dump([os.getpid(), child.pid, apart.pid], file)
phase("measure")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""

    def interrupt(name: str, detail: str, expected_s: float | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_script(body.format(file=str(tmp_path / "pids")), Watch(phase=interrupt))
    for pid in json.loads((tmp_path / "pids").read_text()):
        assert_gone(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_raises_in_the_wait_and_nowhere_else(run_script: RunScript, number: signal.Signals) -> None:
    reached = []

    def interrupt(name: str, detail: str, expected_s: float | None) -> None:
        signal.raise_signal(number)
        reached.append(name)  # a handler that raised would never get here

    before = [signal.getsignal(one) for one in SIGNALS]
    try:
        with pytest.raises(KeyboardInterrupt):
            run_script('phase("load")\ntime.sleep(600)', Watch(phase=interrupt))
    finally:
        for one, former in zip(SIGNALS, before, strict=True):
            signal.signal(one, former)
    assert reached == ["load"]


def test_a_signal_that_came_before_the_runner_ends_the_wait_at_once(run_script: RunScript) -> None:
    def interrupted_before() -> None:
        with interruptible():
            signal.raise_signal(signal.SIGINT)
            run_script('phase("load")\ntime.sleep(600)', Watch(phase=lambda *told: heard.append(told)))

    heard: list[Any] = []
    before = [signal.getsignal(one) for one in SIGNALS]
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted_before()
    finally:
        for one, former in zip(SIGNALS, before, strict=True):
            signal.signal(one, former)
    assert heard == []


def test_handlers_are_given_back(run_script: RunScript) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    run_script('send("done")')
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_thread_has_no_handlers_and_needs_none(run_script: RunScript) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run_script, 'send("done")').result().messages == []


def test_no_descriptor_is_left_open(run_script: RunScript) -> None:
    run_script('send("done")')
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # its entries vanish while pathlib looks
    run_script('send("done")')
    with pytest.raises(RunError):
        run_script("pass")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  # the same


@pytest.mark.parametrize("kind", ["missing", "not executable"])
def test_an_interpreter_that_cannot_be_started_is_the_users(tmp_path: Path, kind: str) -> None:
    interpreter = tmp_path / "python"
    if kind == "not executable":
        interpreter.write_text("")
    with pytest.raises(UserError, match="cannot be started") as caught:
        run(JOB, Watch(), tmp_path / "runner.log", str(interpreter))
    assert str(interpreter) in caught.value.message


def test_a_runner_that_never_reads_its_job(run_script: RunScript) -> None:
    """It dies before it has read a job that is larger than a pipe."""
    large = Job("fetch", fetch=FetchJob((("x" * 1_000_000, None),), "/"))
    with pytest.raises(RunError, match="exit code 5"):
        run_script("os._exit(5)", job=large)


@pytest.mark.parametrize("verb", ["fetch", "measure"])
def test_the_real_runner_answers(tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is given nothing to do says so as the bug that it is; one without files is done."""
    monkeypatch.setenv("PYTHONPATH", str(Path(supervise.__file__).parents[1]))
    log = tmp_path / "runner.log"
    if verb == "fetch":
        assert run(Job("fetch", fetch=FetchJob((), str(tmp_path))), Watch(), log).messages == []
    else:
        with pytest.raises(RunnerBug, match="needs a plan"):
            run(Job("measure"), Watch(), log)
        assert "needs a plan" in log.read_text()


def test_a_runner_of_another_environment_does_not_find_this_ones_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/here")
    monkeypatch.setenv("PYTHONHOME", "/here")
    options, environment = how_to_start("/there/bin/python")
    assert options == ["-I"]
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(environment)
    assert environment["PATH"].split(os.pathsep)[0] == "/there/bin"
    options, environment = how_to_start(sys.executable)
    assert (options, environment["PYTHONPATH"]) == ([], "/here"), "this environment is what its variables make it"
