"""A run: a short tuple of named steps, each of which reads and fills one :class:`Run`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from mlharness import rundir, supervise
from mlharness.environments.choosing import record_of
from mlharness.environments.comparing import code_of
from mlharness.errors import RunError, UserError
from mlharness.floor import null_floor_us
from mlharness.likeness import compare
from mlharness.measuring import Measured, measure
from mlharness.monitor import Monitor
from mlharness.observers import Observers
from mlharness.payloads import RunFinished, RunStarted
from mlharness.plan import PlannedTest, RunPlan
from mlharness.request import Request
from mlharness.result import Findings, ended_early, make_result
from mlharness.runner.job import Calibration, Job
from mlharness.search import PATIENCE_S, Found, find_rate, trial_seconds
from mlharness.supervise import Watch
from mlharness.system import describe_system


@dataclass
class Run:
    """One run in the making."""

    request: Request
    plan: RunPlan
    directory: Path
    observers: Observers
    monitor: Monitor
    started: str
    earlier: Sequence[Mapping[str, Any]] = ()
    system: dict[str, Any] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def runner_log(self) -> Path:
        """Where the output of this run's runners is kept."""
        return self.directory / rundir.RUNNER_LOG

    def watch(self, prefix: str = "", mode: str = "performance") -> Watch:
        """Hands a runner's phases and progress on to the monitor of the host and the observers; keeps what it says."""
        told = self.monitor.watch(self.observers.watch(self.directory.name, prefix))
        return replace(told, said=partial(self.findings.hear, mode))

    def test_directory(self, mode: str) -> Path:
        """Where LoadGen's files of a mode go: a folder of its own only when there are two."""
        return self.directory / mode if self.plan.test.mode == "both" else self.directory


def bench(request: Request, earlier: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Do one run and return its result document, which also stands in ``result.json``.

    Args:
        request: what to run.
        earlier: results of the same request, whose model should have had the same outputs.

    Raises:
        UserError: the run could not begin; nothing of it is left.
        RunnerBug: a bug in mlharness, after the result has been written.
        KeyboardInterrupt: the user stopped it, after the result has been written.
    """
    directory = rundir.create_run_directory(request.root.absolute(), request.model.name, request.choices.scenario)
    observers = Observers(request.plugins.manager)
    try:
        log = directory / rundir.RUNNER_LOG
        plan = request.plan(request.fetch(observers.watch(directory.name), log))
        run = Run(request, plan, directory, observers, Monitor(plan.framework.device), now(), earlier)
        run.findings.warnings += request.warnings()
        write_plan(run)
    except BaseException:
        rundir.discard(directory)
        raise
    try:
        for step in STEPS:
            step(run)
    except UserError as error:
        if not run.findings.tests:
            rundir.discard(directory)
            raise
        fail(run, f"the run could not go on: {error}")
        raise
    except (RunError, OSError) as error:  # OSError: the disk refuses, or the system has no process or memory left
        fail(run, str(error))
    except KeyboardInterrupt:
        run.findings.interrupted = True
        rundir.release(run.directory)
        set_partial_logs_aside(run)
        close(run)
        raise
    except Exception as error:
        fail(run, f"a bug in mlharness: {error!r}")
        raise
    else:
        close(run)
    return run.result


def write_plan(run: Run) -> None:
    """``plan.json``, and the observers learn of the run."""
    asked = {"choices": run.request.choices.document()}  # by which the same plan can be made again
    rundir.write_json(run.directory / rundir.PLAN, run.plan.document() | asked)
    run.observers.tell("mlh_on_run_started", RunStarted(run.directory.name, run.directory, run.plan.document()))


def describe_host(run: Run) -> None:
    """``system.json``."""
    run.system = describe_system(run.request.choices.system_description)
    record = record_of(run.plan.host.interpreter)
    if record is not None:  # what measures is the created environment
        run.system |= {"python": record.python, "packages": dict(record.packages)}
    run.system["code"] = code_of(record)  # versions of source trees say little of what they hold
    rundir.write_json(run.directory / rundir.SYSTEM, run.system)


def find_null_floor(run: Run) -> None:
    """The null floor of this host, unless the run has no queries to time."""
    if run.plan.test.mode != "accuracy":
        detail = "what the harness itself costs, once per host and version"
        run.findings.null_floor_us = null_floor_us(
            run.request.plugins, run.directory / "floor", partial(run.watch().phase, "floor", detail, None)
        )


def measure_performance(run: Run) -> None:
    """LoadGen's performance mode: Server without a rate searches for it first."""
    if run.plan.test.mode == "accuracy":
        return
    test = run.plan.test
    if test.scenario == "Server" and test.target_qps is None and "target_qps" not in test.user_conf:
        found = search_rate(run)
        run.findings.performance, run.findings.trials, run.findings.search_note = (
            found.measured, found.trials, found.note,
        )  # fmt: skip
    else:
        run.findings.performance = measure_long_enough(run)
    run.monitor.end_test()


def measure_long_enough(run: Run) -> Measured:
    """One test; a second one when the first ended too early, sized by what the first showed."""
    directory = run.test_directory("performance")
    measured = measure(run.plan, directory, run.watch(), run.runner_log)
    if not ended_early(measured.log) or expects_what_the_user_said(run.plan.test):
        return measured
    rundir.set_aside(directory, run.directory / "too-short")
    scenario = run.plan.test.scenario
    latency = int(measured.log.latencies(scenario)["mean"])
    rate = measured.log.values.get("result_samples_per_second", measured.calibration.samples_per_second)
    better = Calibration(min(latency, measured.calibration.query_latency_ns), max(rate, 1e-9))
    return measure(run.plan, directory, run.watch("once more, longer: "), run.runner_log, calibration=better)


def expects_what_the_user_said(test: PlannedTest) -> bool:
    """True when the user fixed the expectation that sizes a test, so that a second one would end as early."""
    if test.scenario in ("Server", "Offline"):
        return test.target_qps is not None or "target_qps" in test.user_conf
    return "target_latency" in test.user_conf


def search_rate(run: Run) -> Found:
    """Server's highest valid rate; the trials' logs are kept under ``search/``."""
    count = 0

    def trial(rate: float | None, calibration: Calibration | None) -> Measured:
        nonlocal count
        count += 1
        # As many queries as the schedule holds: a number of them would make trials of a slow model last for minutes.
        plan = run.plan.with_test(target_qps=rate, duration_s=trial_seconds(rate), min_queries=1, rules="quick")
        folder = run.directory / "search" / f"trial-{count:02}"
        return measure(plan, folder, run.watch(f"search, trial {count}: "), run.runner_log, calibration=calibration)

    def confirm(rate: float, calibration: Calibration) -> Measured:
        directory = run.test_directory("performance")
        rundir.set_aside(directory, run.directory / "search" / "unconfirmed")
        plan = run.plan.with_test(target_qps=rate)
        watch = run.watch(f"confirming {rate:.4g} queries/s: ")
        return measure(plan, directory, watch, run.runner_log, calibration=calibration)

    test = run.plan.test
    by_default = test.rules == "quick" and test.duration_s is None and test.min_queries is None
    return find_rate(trial, confirm, PATIENCE_S if by_default else math.inf)


def measure_accuracy(run: Run) -> None:
    """LoadGen's accuracy mode."""
    if run.plan.test.mode != "performance":
        directory, watch = run.test_directory("accuracy"), run.watch(mode="accuracy")
        run.findings.accuracy = measure(run.plan, directory, watch, run.runner_log, accuracy=True)


def check_model(run: Run) -> None:
    """Every runner of this run must have had the same model. Raises RunError when more than rounding differs."""
    for later in run.findings.fingerprints[1:]:
        found, alike = compare(run.findings.fingerprints[0], later)
        if found and found not in run.findings.warnings:
            run.findings.warnings.append(found)
        if not alike:
            raise RunError(
                f"the runners of this run did not measure one model: {found}",
                "Its outputs must be the same each time: is it random, or did its file change during the run?",
            )


def score(run: Run) -> None:
    """The metric over LoadGen's own log, in a runner of its own."""
    if run.findings.accuracy is None:
        return
    directory, limit = run.findings.accuracy.directory, run.plan.host.stall_timeout_s
    job = Job("score", run.request.blocked, run.plan, directory=str(directory), stall_timeout_s=limit)
    run.findings.score = supervise.run(job, run.watch(), run.runner_log, run.plan.host.interpreter).one("scored")
    rundir.write_json(directory / rundir.SCORED, run.findings.score)


def trace(run: Run) -> None:
    """A second, shorter, traced run of the same plan; whatever becomes of it, what was measured before stays."""
    choices = run.request.choices
    if choices.trace:
        from mlharness.leveled import Experiment  # 25 ms, for which a run without a trace does not wait
        from mlharness.tracing import TraceWish, trace_run

        found, wish = run.findings, TraceWish(choices.trace, choices.trace_every, choices.trace_first)
        sized = found.tests[0].calibration if found.tests else None
        plan, log = plan_as_measured(run), run.runner_log

        def watch(prefix: str) -> Watch:
            return replace(run.watch(prefix), said=lambda message: None)

        found.trace = trace_run(plan, wish, run.directory, watch("traced: "), log, sized, found.performance)
        if choices.leveled:
            found.trace["leveled"] = Experiment(plan, wish, run.directory, watch, log, sized).run()


def plan_as_measured(run: Run) -> RunPlan:
    """The plan with the rate that a search found for Server."""
    if run.findings.performance is None or run.plan.test.scenario != "Server":
        return run.plan
    return run.plan.with_test(target_qps=run.findings.performance.settings["server_target_qps"])


def compare_with_earlier(run: Run) -> None:
    """A warning when the model's outputs are not those of the first run of the same request."""
    known = (run.findings.latest or {}).get("fingerprint")
    first = next((result for result in run.earlier if result["fingerprint"]), None)
    if known and first:
        found, _ = compare(first["fingerprint"], known, f"run {first['run_id']}")
        run.findings.warnings += [found] if found else []


STEPS: tuple[Callable[[Run], None], ...] = (
    describe_host,
    find_null_floor,
    measure_performance,
    measure_accuracy,
    check_model,
    score,
    trace,
)


def fail(run: Run, why: str) -> None:
    """Close a run that cannot give what was asked for: its partial logs are set aside, the result says why."""
    full = rundir.disk_is_full(run.directory)  # asked before space is given back
    run.findings.failure = f"the disk of {run.directory} is full: {why}" if full else why
    rundir.release(run.directory)
    set_partial_logs_aside(run)
    close(run)


def set_partial_logs_aside(run: Run) -> None:
    """Move what LoadGen left of a test that did not end to ``incomplete/``."""
    for name in ("", "performance", "accuracy"):
        finished = {test.directory for test in run.findings.tests}
        if run.directory / name not in finished:
            rundir.set_aside(run.directory / name, run.directory / rundir.INCOMPLETE)


def close(run: Run) -> None:
    """Write telemetry and ``result.json``, tell the observers; what they raise is added to the result's warnings."""
    run.findings.quality = run.monitor.quality()
    run.monitor.close(run.directory)
    compare_with_earlier(run)
    run.findings.warnings += [*run.observers.warnings, *run.monitor.warnings]
    run.result = make_result(run.plan, run.directory, run.findings, run.system, run.started, now())
    rundir.release(run.directory)
    rundir.write_json(run.directory / rundir.RESULT, run.result)
    run.observers.tell("mlh_on_run_finished", RunFinished(run.directory.name, run.directory, run.result))
    new = [warning for warning in run.observers.warnings if warning not in run.findings.warnings]
    if new:
        run.result["warnings"] += new
        rundir.write_json(run.directory / rundir.RESULT, run.result)


def now() -> str:
    """The time in UTC, as results write it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
