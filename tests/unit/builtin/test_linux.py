"""The tracers of the system level: on this machine, without privileges, and where the kernel refuses."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from mlharness.builtin import linux
from mlharness.builtin.linux import SCHEDSTAT, SWITCHES, SchedstatTracer, SwitchTracer, no_schedstat, no_switches
from mlharness.providers import TraceRequest
from mlharness.trace.linux.perf_events import paranoia
from mlharness.trace.sampler import Sampler
from mlharness.trace.spans import Spans, SpanTable
from tests.unit.trace.linux.test_perf_events import needs_events

REQUEST = TraceRequest(("system",), Path("unused"), "null", "cpu", {}, 1, 1)
NOBODY = 65534
ROOT = Path(__file__).parents[3]

_SPIN = """
import json, os, signal, sys, threading, time
from pathlib import Path

tracer_class, seconds, competitors, user = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
refused = sys.argv[5] == "refused"
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

def become(user):
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)

def compete():
    pid = os.fork()  # before a library starts a thread
    if not pid:
        become(user)
        signal.alarm(60)  # it ends by itself, whatever happens
        while True:
            pass
    return pid

others = [compete() for _ in range(competitors)]
from mlharness.builtin.linux import SchedstatTracer, SwitchTracer, no_schedstat, no_switches
from mlharness.providers import TraceRequest
from mlharness.trace.sampler import Sampler
become(user)
if refused:
    from tests.unit.trace.linux.seccomp import refuse_perf_events
    refuse_perf_events()
try:
    reasons = {"switches": no_switches(), "schedstat": no_schedstat()}
    request = TraceRequest(("system",), Path("unused"), "null", "cpu", {}, 1, 1)
    tracer = globals()[tracer_class](request, Sampler(0.05))
    tracer.start()

    def work():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        worked.set()
        leave.wait()

    worked, leave = threading.Event(), threading.Event()
    tracer.begin()
    worker = threading.Thread(target=work, name="worker-0")
    worker.start()
    worked.wait()
    tracer.end()
    leave.set()
    worker.join()
finally:
    for other in others:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
spans = tracer.collect()
table = spans.table()
print(json.dumps({
    "reasons": reasons, "dropped": spans.dropped, "notes": spans.notes, "worker": worker.native_id,
    "spans": [[table.text("name", row), table.text("kind", row), int(table.thread[row]), int(table.duration[row]),
               table.text("attributes", row)] for row in range(len(table))],
    "readings": [list(reading[1:]) for reading in spans.readings()],
}))
"""


def spin(tracer: str, seconds: float, competitors: int = 0, user: int = 0, refused: bool = False) -> Any:
    """What a tracer found of a process with one busy thread, on one CPU, beside so many others that are busy."""
    options = [tracer, str(seconds), str(competitors), str(user), "refused" if refused else ""]
    command = [sys.executable, "-W", "error", "-c", _SPIN, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def totals(found: Any) -> dict[str, int]:
    """Nanoseconds of the worker's slices of each kind."""
    sums: dict[str, int] = {}
    for _, kind, thread, duration, _ in found["spans"]:
        if thread == found["worker"]:
            sums[kind] = sums.get(kind, 0) + duration
    return sums


def about(found: Any) -> dict[str, int]:
    """The sums that the worker's own span tells."""
    (text,) = [row[4] for row in found["spans"] if row[1] == "thread" and row[2] == found["worker"]]
    sums: dict[str, int] = json.loads(text)
    return sums


@needs_events
@pytest.mark.alone
def test_beside_a_competitor_a_thread_is_preempted_and_waits_for_its_core() -> None:
    found = spin("SwitchTracer", 1.0, competitors=1)
    sums, told = totals(found), about(found)
    whole = sums["thread"]
    assert {row[0] for row in found["spans"] if row[2] == found["worker"]} == {"worker-0"}
    assert whole > 0.9e9
    assert sums["preempted"] > 0.3 * whole
    assert sums["running"] > 0
    assert sums["running"] + sums["preempted"] + sums["blocked"] == whole
    assert told["preemptions"] > 2
    assert told["run_queue_delay_ns"] > 0.1e9  # the last wait counts once it is over
    assert (told["preempted_ns"], told["running_ns"]) == (sums["preempted"], sums["running"])
    assert (found["dropped"], told["migrations"]) == (0, 0)
    slices = [row for row in found["spans"] if row[2] == found["worker"] and row[1] == "running"]
    assert all(json.loads(row[4])["cpu"] >= 0 for row in slices)


@pytest.mark.alone
def test_the_sums_tell_the_run_queue_delay_without_perf_events() -> None:
    found = spin("SchedstatTracer", 1.0, competitors=1)
    worker = found["worker"]
    cpu, delay = ([value for name, _, _, value in found["readings"] if name == f"thread{worker}.{what}"]
                  for what in ("cpu", "run_queue_delay"))  # fmt: skip
    assert len(cpu) == len(delay) >= 3
    assert (cpu, delay) == (sorted(cpu), sorted(delay))
    assert delay[-1] > 0.3e9
    assert cpu[-1] + delay[-1] > 0.8e9, "a busy thread runs or wants to"
    assert "when threads ran is not known" in found["notes"][0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("tracer", ["SwitchTracer", "SchedstatTracer"])
def test_nobody_gets_what_the_kernel_gives_to_everybody(tracer: str) -> None:
    """Up to a paranoia of 2, user space may watch its own switches; beyond, the sums are read."""
    found = None
    if tracer == "SchedstatTracer" or (paranoia().isdigit() and int(paranoia()) <= 2 and not no_switches()):
        found = spin(tracer, 0.2, competitors=1, user=NOBODY)
    if found is None:
        pytest.skip("perf events are not allowed to users here")
    assert (found["reasons"]["switches"] == "") != (found["reasons"]["schedstat"] == "")
    assert found["spans"]
    assert found["readings"]
    if tracer == "SwitchTracer":
        assert totals(found)["running"] > 0
        assert totals(found)["preempted"] > 0


def test_where_perf_events_are_refused_the_reason_is_told_and_the_sums_take_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("mlharness.trace.linux.perf_events.open_event", refuse)
    assert no_switches(REQUEST).startswith("perf events are not allowed here")
    assert no_schedstat(REQUEST) == ""
    with pytest.raises(PermissionError):
        SwitchTracer(REQUEST, Sampler(1)).start()


@needs_events
def test_under_a_containers_filter_the_sums_are_read() -> None:
    found = spin("SchedstatTracer", 0.2, refused=True)
    assert found["reasons"]["switches"].startswith("perf events are not allowed here")
    assert found["reasons"]["schedstat"] == ""
    assert about(found)["cpu_ns"] > 0


@needs_events
def test_where_switches_are_recorded_the_sums_are_not_needed() -> None:
    assert no_schedstat(REQUEST) == f"not needed: {SWITCHES} tells more"


def trace_sleepers(tracer: SwitchTracer | SchedstatTracer, count: int) -> tuple[Spans, set[int]]:
    """What it found while so many threads waited for each other, and their ids."""
    tracer.start()
    tracer.begin()
    barrier = threading.Barrier(count)
    sleepers = [threading.Thread(target=lambda: [barrier.wait() for _ in range(20)], name=f"sleeper-{number}")
                for number in range(count)]  # fmt: skip
    for sleeper in sleepers:
        sleeper.start()
    for sleeper in sleepers:
        sleeper.join()
    tracer.end()
    return tracer.collect(), {sleeper.native_id or 0 for sleeper in sleepers}


def threads_of(table: SpanTable) -> set[int]:
    return set(table.thread.tolist())


@needs_events
def test_threads_that_ended_before_the_test_did_are_told() -> None:
    spans, sleepers = trace_sleepers(SwitchTracer(REQUEST, Sampler(0.001)), 3)
    table = spans.table()
    assert spans.source == SWITCHES
    assert sleepers <= threads_of(table)
    assert (table.parent == -1).all()
    assert (table.duration >= 0).all()
    blocked = {int(table.thread[row]) for row in range(len(table)) if table.text("kind", row) == "blocked"}
    assert sleepers <= blocked


@needs_events
def test_no_more_than_a_bounded_number_of_switches_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux, "MOST_BYTES", 320)
    spans, _ = trace_sleepers(SwitchTracer(REQUEST, Sampler(0.001)), 3)
    assert spans.dropped > 0
    (note,) = spans.notes
    assert note.startswith("after 10 switches (")
    table = spans.table()
    whole = [row for row in range(len(table)) if table.text("kind", row) == "thread"]
    cut = [row for row in range(len(table)) if table.text("kind", row) != "thread"]
    assert whole
    assert all(table.end[row] <= table.end[whole].max() for row in cut)


def test_the_samplers_own_thread_is_not_told() -> None:
    sampler = Sampler(0.001)
    read = threading.Event()
    seen: set[int] = set()

    def probe(now_ns: int) -> None:
        seen.add(threading.get_native_id())
        read.set()

    sampler.add(probe)
    assert read.wait(10)
    tracers: list[SchedstatTracer | SwitchTracer] = [SchedstatTracer(REQUEST, sampler)]
    if not no_switches():
        tracers.append(SwitchTracer(REQUEST, sampler))
    for tracer in tracers:
        spans, _ = trace_sleepers(tracer, 2)
        assert not seen & threads_of(spans.table())
        assert not [name for _, name, *_ in spans.readings() if name.startswith(f"thread{min(seen)}.")]
    sampler.remove(probe)


def test_sums_have_their_units() -> None:
    spans, _ = trace_sleepers(SchedstatTracer(REQUEST, Sampler(0.001)), 2)
    assert spans.source == SCHEDSTAT
    units = {name.rpartition(".")[2]: unit for _, name, unit, _, _ in spans.readings()}
    assert (
        units.items() >= {"cpu": "ns", "run_queue_delay": "ns", "waits": "switches", "minor_faults": "faults"}.items()
    )


def open_files() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("verbs", [("start",), ("start", "begin", "end")])
@pytest.mark.parametrize("kind", [pytest.param(SwitchTracer, marks=needs_events), SchedstatTracer])
def test_a_test_that_never_came_leaves_nothing_open(
    kind: type[SwitchTracer] | type[SchedstatTracer], verbs: tuple[str, ...]
) -> None:
    before = open_files()
    tracer = kind(REQUEST, Sampler(1))
    for verb in verbs:
        getattr(tracer, verb)()
    spans = tracer.collect()
    count = len(spans), spans.count_of_readings, len(spans.notes)
    again = tracer.collect()
    assert (len(again), again.count_of_readings, len(again.notes)) == count
    assert (count[0] > 0) == ("end" in verbs)
    assert open_files() == before
