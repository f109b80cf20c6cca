"""Each rule: a run on which it speaks, with its figures, and one on which it is silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlharness.analysis.traced import Peaks
from mlharness.explaining.evidence import Evidence, Figures
from mlharness.explaining.host import Counter, Host, with_samples
from mlharness.explaining.layers import Layer, Layers
from mlharness.explaining.rules import RULES
from mlharness.explaining.rules.queueing import wait
from mlharness.explaining.rules.rule import Finding, Unsaid, amdahl
from mlharness.explaining.slices import BLOCKED, RUNNING, Slices
from mlharness.explaining.threads import Thread
from mlharness.explaining.work import Roofline, Work
from mlharness.telemetry import Sample
from tests.unit.explaining.facts import MS, THREAD, a_setup, some_calls, some_evidence

SERVER = a_setup(scenario="Server")
RULE: dict[str, Callable[[Evidence], Any]] = {rule.name: rule.judge for rule in RULES}


def finds(name: str, evidence: Evidence) -> Finding:
    found = RULE[name](evidence)
    assert isinstance(found, Finding)
    assert 0 <= found.weight <= 1
    assert found.gain is None or found.gain.factor >= 1
    return found


def fact(found: Finding, name: str) -> float:
    (value,) = [one.value for one in found.facts if one.name == name]
    return value


def gain(found: Finding) -> float:
    assert found.gain is not None
    return found.gain.factor


# -- queue --


def test_queries_that_wait() -> None:
    # two workers with a batch in hand two thirds of the time, which is 10 ms for each
    evidence = some_evidence(SERVER, some_calls(between=5 * MS), waited=5 * MS)
    found = finds("queue", evidence)
    busy = fact(found, "time in which an instance has a batch in hand")
    assert busy == pytest.approx(200 / 145 / 2)
    assert fact(found, "mean wait") == pytest.approx(5 * MS)
    assert found.weight == pytest.approx(1 / 3)
    assert "--target-qps 90," in found.change
    left = wait(0.9 * busy, 2) / wait(busy, 2)
    assert gain(found) == pytest.approx(1 / (2 / 3 + left / 3))
    assert 0.5 < left < 0.9


def test_idle_cores_are_the_first_remedy_for_a_queue() -> None:
    evidence = some_evidence(replace(SERVER, cores=4), some_calls(between=5 * MS), waited=5 * MS)
    found = finds("queue", evidence)
    assert found.change.startswith("--instances 4:")
    busy = fact(found, "time in which an instance has a batch in hand")
    assert gain(found) == pytest.approx(1 / (2 / 3 + wait(busy / 2, 4) / wait(busy, 2) / 3))


def test_batches_that_wait_to_be_filled() -> None:
    found = finds("queue", some_evidence(replace(SERVER, max_wait_us=5000), some_calls(between=90 * MS), waited=5 * MS))
    assert "the wait for a batch to fill (--max-wait 5)" in found.verdict
    assert found.change == "--max-wait 0"
    assert gain(found) == pytest.approx(1.5)


def test_a_wait_that_the_load_does_not_explain() -> None:
    found = finds("queue", some_evidence(SERVER, some_calls(between=90 * MS), waited=50 * MS))
    assert "which does not explain it" in found.verdict
    assert found.gain is None
    assert "explain" in found.no_gain


def test_multistream_queries_that_wait() -> None:
    found = finds("queue", some_evidence(a_setup(scenario="MultiStream", batch_size=8), waited=10 * MS))
    assert found.change == "--batch-size 4, so that every instance has a part."
    assert found.gain is None


def test_workers_that_cannot_keep_up() -> None:
    found = finds("queue", some_evidence(SERVER, waited=30 * MS))
    assert "they cannot keep up" in found.verdict
    assert found.change.startswith("--target-qps 160, 80 % of what the workers can do")  # 2 / 10 ms
    assert found.gain is None
    assert "has no mean wait" in found.no_gain


def test_the_formula_of_the_wait_is_that_of_one_server() -> None:
    assert wait(0.5, 1) == pytest.approx(0.5 / 0.5)  # M/M/1: u / (1 - u)
    assert wait(0.8, 1) == pytest.approx(4.0)


@pytest.mark.parametrize("scenario", ["Offline", "SingleStream"])
def test_no_queue_to_speak_of(scenario: str) -> None:
    assert RULE["queue"](some_evidence(a_setup(scenario=scenario))) is None


# -- batch --


def tiny_layers(ns: int = 1 * MS, calls: int = 20) -> Layers:
    return Layers((Layer("conv", "Conv", calls, ns * calls),), 6 * MS * calls, calls)


def test_the_cost_of_a_call_is_what_no_layer_explains() -> None:
    found = finds("batch", some_evidence(layers=tiny_layers()))
    # 6 ms in predict of which 1 ms is in layers, and 2 ms of the harness, of 10 ms
    assert fact(found, "cost of a call, whatever its size") == 7 * MS
    assert found.weight == pytest.approx(0.7)
    assert found.change == "--batch-size 8"
    assert gain(found) == pytest.approx(10 / (3 + 7 / 8))


def test_the_measured_runs_predict_counts_and_not_the_traced_ones() -> None:
    found = finds("batch", some_evidence(layers=tiny_layers(), figures=Figures(1.0, 1.0, 1.0, 3 * MS)))
    assert fact(found, "cost of a call, whatever its size") == 4 * MS
    assert fact(found, "time of a batch") == 7 * MS


def test_without_layers_the_harness_alone_can_be_too_much() -> None:
    found = finds("batch", some_evidence(calls=some_calls(predict=1 * MS)))
    assert found.weight == pytest.approx(2 / 5)
    assert gain(found) == pytest.approx(5 / (3 + 2 / 8))


def test_what_comes_after_a_batch_delays_the_next() -> None:
    found = finds("batch", some_evidence(calls=some_calls(predict=1 * MS, between=3 * MS)))
    assert fact(found, "cost of a call, whatever its size") == 5 * MS
    measured = some_evidence(
        calls=some_calls(predict=1 * MS, between=3 * MS), figures=Figures(1.0, 1.0, 1.0, 1 * MS, 4 * MS)
    )
    assert fact(finds("batch", measured), "cost of a call, whatever its size") == 4 * MS


def test_batches_of_several_sizes_show_it_by_themselves() -> None:
    sizes = [1, 2, 4] * 20
    calls = some_calls(60, 1, size=sizes, gather=0, complete=0, postprocess=0,
                       predict=[(5 + size) * MS for size in sizes])  # fmt: skip
    found = finds("batch", some_evidence(a_setup(instances=1), calls))
    assert fact(found, "cost of a call, whatever its size") == pytest.approx(5 * MS)
    assert found.gain is not None
    assert "5 ms a call and 1 ms a sample" in found.gain.how


def test_one_size_and_no_layers_tell_nothing() -> None:
    assert isinstance(RULE["batch"](some_evidence(calls=some_calls(predict=20 * MS))), Unsaid)


def test_batches_are_no_matter_where_nothing_could_be_larger() -> None:
    assert RULE["batch"](some_evidence(a_setup(scenario="SingleStream"), layers=tiny_layers())) is None
    assert RULE["batch"](some_evidence(SERVER, layers=tiny_layers())) is None  # nobody waits
    lazy = some_calls(between=90 * MS)
    assert RULE["batch"](some_evidence(SERVER, lazy, waited=5 * MS, layers=tiny_layers())) is None  # nobody is busy
    assert finds("batch", some_evidence(SERVER, waited=5 * MS, layers=tiny_layers())).change.endswith("--max-wait 1")
    assert RULE["batch"](some_evidence(calls=some_calls(predict=20 * MS), layers=tiny_layers(ns=20 * MS))) is None


# -- postprocess --


def test_long_postprocessing() -> None:
    found = finds("postprocess", some_evidence(calls=some_calls(postprocess=12 * MS)))
    assert found.weight == pytest.approx(12 / 20)
    assert gain(found) == pytest.approx(1 / 0.7)
    assert fact(found, "mean of a batch") == 12 * MS


def test_short_postprocessing() -> None:
    assert RULE["postprocess"](some_evidence(calls=some_calls(postprocess=1 * MS))) is None


# -- interpreter --


def watched(postprocess: Callable[[int, int], list[tuple[str, int, int]]], delay: int = 0) -> Evidence:
    """Two workers at the same steps, 16 ms a batch; ``postprocess`` gives the slices of its 8 ms: kind, start, length.

    ``delay`` is what each worker waited for a core in all.
    """
    calls = some_calls(10, 2, postprocess=8 * MS)
    rows: list[tuple[int, str, int, int]] = []
    for thread, start, predicted, completing, instance in zip(
        calls.thread.tolist(), calls.start.tolist(), calls.predicted.tolist(), calls.completing.tolist(),
        calls.instance.tolist(), strict=True,
    ):  # fmt: skip
        rows.append((thread, RUNNING, start, predicted - start))
        rows += [(thread, kind, predicted + at, length) for kind, at, length in postprocess(instance, 8 * MS)]
        rows.append((thread, RUNNING, completing, MS))
    threads = tuple(Thread(THREAD + number, f"instance-{number}", calls.window_ns, 0, delay) for number in range(2))
    return some_evidence(calls=calls, slices=Slices(sorted(rows, key=lambda row: row[2])), threads=threads)


def in_turns(instance: int, length: int) -> list[tuple[str, int, int]]:
    """One runs for a millisecond while the other is blocked."""
    return [
        (RUNNING if (at // MS) % 2 == instance else BLOCKED, at, MS)
        for at in range(0, length, MS)
    ]  # fmt: skip


def asleep(instance: int, length: int) -> list[tuple[str, int, int]]:
    """Neither runs."""
    return [(BLOCKED, 0, length)]


def side_by_side(instance: int, length: int) -> list[tuple[str, int, int]]:
    """Both run, as what releases the interpreter does."""
    return [(RUNNING, 0, length)]


def test_workers_that_wait_for_the_interpreter() -> None:
    found = finds("interpreter", watched(in_turns))
    # of 16 ms a worker waits for 4 ms, and runs Python for 6 ms
    assert found.weight == pytest.approx(4 / 16)
    assert fact(found, "mean wait of a batch") == 4 * MS
    assert fact(found, "share of time in which some worker runs Python") == pytest.approx(12 / 16)
    assert gain(found) == pytest.approx(16 / 12)
    assert "--instances 1 --threads 2" in found.change


@pytest.mark.parametrize("postprocess", [asleep, side_by_side])
def test_what_holds_no_interpreter_is_not_taken_for_it(postprocess: Callable[..., Any]) -> None:
    assert RULE["interpreter"](watched(postprocess)) is None


def test_the_wait_for_a_core_is_not_the_interpreters() -> None:
    # of each worker's 40 ms, the kernel says that 30 ms were for a core
    found = finds("interpreter", watched(in_turns, delay=30 * MS))
    assert fact(found, "mean wait of a batch") == 1 * MS
    assert fact(found, "share of a batch's time waiting for the interpreter") == pytest.approx(1 / 13)
    assert found.weight == pytest.approx(1 / 16)
    assert RULE["interpreter"](watched(in_turns, delay=40 * MS)) is None


def test_the_end_of_predict_waits_too() -> None:
    calls = some_calls(10, 2, predict=8 * MS)
    calls = replace(calls, **{  # the second worker is half a batch behind
        name: getattr(calls, name) + (calls.instance == 1) * 2 * MS
        for name in ("start", "end", "predict", "predicted", "completing")
    })  # fmt: skip
    rows = []
    for thread, start, predicted, end in zip(calls.thread, calls.start, calls.predicted, calls.end, strict=True):
        wait_from = predicted - 1_500_000
        rows += [(thread, RUNNING, start, wait_from - start), (thread, BLOCKED, wait_from, 1_490_000),
                 (thread, RUNNING, predicted - 10_000, end - predicted + 10_000)]  # fmt: skip
    slices = Slices(sorted(((int(a), b, int(c), int(d)) for a, b, c, d in rows), key=lambda row: row[2]))
    found = finds("interpreter", some_evidence(calls=calls, slices=slices))
    assert 0 < fact(found, "mean wait of a batch") <= 1_490_000


def test_one_worker_waits_for_nobody() -> None:
    assert RULE["interpreter"](some_evidence(calls=some_calls(instances=1))) is None


def test_sums_alone_do_not_show_who_held_the_interpreter() -> None:
    assert isinstance(RULE["interpreter"](some_evidence()), Unsaid)


# -- layers --


def test_layers_that_dominate() -> None:
    known = Layers(
        (Layer("conv1", "Conv", 10, 40 * MS), Layer("fc", "Gemm", 10, 10 * MS), Layer("conv2", "Conv", 10, 5 * MS)),
        60 * MS, 10,
    )  # fmt: skip
    found = finds("layers", some_evidence(layers=known))
    assert "2 layers of type Conv take 82 % of the layers' time. Half of it is conv1 73 %." in found.verdict
    share = 45 / 55 * 55 / 60 * 0.6  # of predict, which is 60 % of the workers' time
    assert found.weight == pytest.approx(share)
    assert gain(found) == pytest.approx(amdahl(share, 2))


def test_layers_of_which_none_dominates() -> None:
    known = Layers(tuple(Layer(f"conv{n}", "Conv", 1, MS) for n in range(20)), 20 * MS, 1)
    assert "No few layers make half of it: it takes 10." in finds("layers", some_evidence(layers=known)).verdict


# -- roofline --

PEAKS = Peaks(100e9, 10e9, "by hand")
"""Ridge: 10 operations a byte."""


def roofline_of(*work: Work) -> Evidence:
    return some_evidence(roofline=Roofline(work, PEAKS), layers=tiny_layers(ns=6 * MS))


def test_compute_bound_layers() -> None:
    # 0.1 GFLOP takes 1 ms at best, and took 2; a small one of memory's kind took 1 ms of 0.4
    found = finds("roofline", roofline_of(Work("conv", 2 * MS, 0.1e9, 1e6), Work("relu", 1 * MS, 1e6, 4e6)))
    assert found.verdict.startswith("The layers are compute-bound: 20.2 operations a byte")
    assert fact(found, "share of the roof that is reached") == pytest.approx(1.4 / 3)
    assert fact(found, "share of the layers' time in layers that operations limit") == pytest.approx(2 / 3)
    whole = 3 / 6 * 0.6  # 3 ms of 6 ms in predict, which is 60 % of the workers' time
    assert gain(found) == pytest.approx(1 / (1 - whole + whole * 1.4 / 3))


def test_memory_bound_layers_near_the_roof() -> None:
    found = finds("roofline", roofline_of(Work("gemm", 5 * MS, 1e6, 4e7)))
    assert found.verdict.startswith("The layers are memory-bound")
    assert fact(found, "share of the roof that is reached") == pytest.approx(0.8)
    assert found.change.startswith("Fewer bytes")


def test_peaks_that_the_layers_exceed_are_no_peaks() -> None:
    answer = RULE["roofline"](roofline_of(Work("conv", 1 * MS, 0.2e9, 1e6)))
    assert isinstance(answer, Unsaid)
    assert "exceed the host's peaks by 100 %" in answer.reason


def test_without_peaks_there_is_no_roof() -> None:
    answer = RULE["roofline"](some_evidence(roofline=Roofline(missing="another host")))
    assert answer == Unsaid("another host")


# -- cores --

BUSY_THREAD = Thread(THREAD, "instance-0", 100 * MS, 60 * MS, 40 * MS, 12)


def test_more_threads_than_cores() -> None:
    found = finds("threads", some_evidence(a_setup(threads=2, cores=1), threads=(BUSY_THREAD,)))
    assert "2 instances with 2 threads each want 4 cores, and there is one" in found.verdict
    assert fact(found, "share of the threads' time waiting for a core") == pytest.approx(0.4)
    assert gain(found) == pytest.approx(1 / 0.6)
    assert found.change == "--instances 1 --threads 1"


def test_what_others_take_is_not_gained_by_fewer_threads() -> None:
    crowded = Thread(THREAD, "instance-0", 100 * MS, 5 * MS, 95 * MS, 12)
    found = finds("threads", some_evidence(a_setup(threads=1, cores=1), threads=(crowded,)))
    assert gain(found) == 2  # two threads on one core, whatever else runs there


def test_more_threads_than_cores_without_the_system_level() -> None:
    found = finds("threads", some_evidence(a_setup(threads=4, cores=4)))
    assert gain(found) == 2
    assert found.change == "--instances 2 --threads 2"


def test_enough_cores() -> None:
    assert RULE["threads"](some_evidence()) is None
    assert RULE["threads"](some_evidence(a_setup(threads=4, device="cuda:0"))) is None


def test_preempted_by_others() -> None:
    host = Host(figures={"other_cpu": 0.3}, told=True)
    idle = Thread(1, "idle", 100 * MS, 0, 1)
    found = finds("preemption", some_evidence(threads=(BUSY_THREAD, idle), host=host))
    assert found.weight == pytest.approx(0.4)
    assert gain(found) == pytest.approx(1 / 0.6)
    assert fact(found, "preemptions") == 12
    assert fact(found, "share of the cores that other processes took") == 0.3


def test_nobody_preempts() -> None:
    quiet = Thread(THREAD, "instance-0", 100 * MS, 90 * MS, 1 * MS)
    assert RULE["preemption"](some_evidence(threads=(quiet,))) is None
    assert RULE["preemption"](some_evidence()) is None
    assert RULE["preemption"](some_evidence(a_setup(threads=2), threads=(BUSY_THREAD,))) is None  # rule threads speaks


@pytest.mark.parametrize(
    ("fields", "change", "factor"),
    [
        ({"instances": 2, "cores": 8}, "--instances 8", 4.0),
        ({"scenario": "SingleStream", "instances": 1, "cores": 2}, "--threads 2", 2.0),
        ({"instances": 1, "threads": 3, "cores": 4}, "--threads 4", 4 / 3),
    ],
)
def test_cores_that_are_left_over(fields: dict[str, Any], change: str, factor: float) -> None:
    setup = a_setup(**fields)
    found = finds("cores", some_evidence(setup, some_calls(instances=setup.instances)))
    assert found.change == change
    assert gain(found) == pytest.approx(factor)


def test_no_core_is_left_over() -> None:
    assert RULE["cores"](some_evidence()) is None
    lazy = some_evidence(a_setup(cores=8), some_calls(between=10 * MS))
    assert RULE["cores"](lazy) is None  # more would be as lazy


# -- the host --


def samples(**fields: list[float | None]) -> list[Sample]:
    """Telemetry as it was recorded: a sample a second, of the test and of what came before it."""
    count = len(next(iter(fields.values())))
    rows: list[dict[str, Any]] = [{name: values[place] for name, values in fields.items()} for place in range(count)]
    return [Sample("warmup", 0.0, 1.0, other_cpu=0.9, steal=0.9, clock_mhz=5000.0)] + [
        Sample("measure", float(place), place + 1.0, **{"other_cpu": 0.0, **row}) for place, row in enumerate(rows)
    ]


def host_of(**fields: list[float | None]) -> Evidence:
    return some_evidence(host=with_samples(Host(), samples(**fields)))


def test_a_clock_that_falls() -> None:
    # a laptop's processor that meets its power limit after two seconds
    found = finds("throttling", host_of(clock_mhz=[3600, 3600, 2400, 2100, 2100, 2100]))
    mean = (2 * 3600 + 2400 + 3 * 2100) / 6
    assert fact(found, "mean of the cores' clock") == pytest.approx(mean)
    assert fact(found, "highest of the cores' clock") == 3600
    assert gain(found) == pytest.approx(3600 / mean)
    assert found.weight == pytest.approx(1 - mean / 3600)


def test_a_gpu_that_throttles() -> None:
    counters = (Counter("gpu0.clock", "MHz", 1200, 1500, 1, 50), Counter("gpu0.throttled", "", 0.5, 1, 0.5, 50),
                Counter("gpu0.memory_clock", "MHz", 100, 9000, 1, 50))  # fmt: skip
    found = finds("throttling", some_evidence(host=Host(counters=counters, told=True)))
    assert gain(found) == pytest.approx(1.25)
    assert fact(found, "share of readings with gpu0.throttled") == 0.5
    only = finds("throttling", some_evidence(host=Host(counters=counters[1:2], told=True)))
    assert "The device throttled itself in 50 % of its readings" in only.verdict


def test_a_quota_that_is_used_up() -> None:
    found = finds("throttling", host_of(throttled=[0.4, 0.6]))
    assert "quota stopped the run in 50 % of its periods" in found.verdict
    assert gain(found) == pytest.approx(2)


def test_a_steady_clock() -> None:
    assert RULE["throttling"](host_of(clock_mhz=[3000, 2990, 3010])) is None
    assert RULE["throttling"](host_of(clock_mhz=[None, None])) is None


def test_swapping() -> None:
    found = finds("swapping", host_of(swap_mib_s=[0.0, 8.0], major_faults_s=[20.0, 40.0]))
    assert fact(found, "swapped") == 4
    assert fact(found, "major page faults of the run") == 30
    assert found.gain is None
    assert found.no_gain
    assert RULE["swapping"](host_of(swap_mib_s=[0.0], major_faults_s=[0.5])) is None


def test_others_on_the_cores() -> None:
    found = finds("others", host_of(other_cpu=[0.2, 0.3], steal=[0.05, 0.05]))
    assert found.weight == pytest.approx(0.3)
    assert gain(found) == pytest.approx(1 / 0.7)
    assert RULE["others"](host_of(other_cpu=[0.01])) is None


def test_others_are_told_once() -> None:
    disturbed = some_evidence(threads=(BUSY_THREAD,), host=Host(figures={"other_cpu": 0.3}, told=True))
    assert RULE["others"](disturbed) is None
    assert fact(finds("preemption", disturbed), "share of the cores that other processes took") == 0.3


@pytest.mark.parametrize("name", ["throttling", "swapping", "others"])
def test_a_host_that_nobody_watched(name: str) -> None:
    assert isinstance(RULE[name](some_evidence()), Unsaid)


# -- tracing --


def test_a_trace_that_slowed_the_run() -> None:
    found = finds("tracing", some_evidence(slowdown_percent=22.0))
    assert found.verdict.startswith("Tracing slowed the run by 22 %")
    assert found.weight == 0
    assert RULE["tracing"](some_evidence(slowdown_percent=3.0)) is None


def test_a_trace_of_another_load() -> None:
    found = finds("tracing", some_evidence(SERVER, figures=Figures(150.0, 150.0, 10 * MS)))
    assert "by Little's law the measured one had 1.5" in found.verdict
