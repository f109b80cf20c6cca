"""One LoadGen test from the parent's side: a runner process, then the log that it left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness import supervise
from mlharness.loadgen_log import LoadGenLog, read_log
from mlharness.plan import RunPlan
from mlharness.runner.job import Calibration, Job, Message


@dataclass(frozen=True)
class Measured:
    """A test that ended: LoadGen's log, and what the runner said before and after (``prepared``, ``measured``)."""

    directory: Path
    log: LoadGenLog
    prepared: Message
    measured: Message

    @property
    def calibration(self) -> Calibration:
        """What the test was sized by."""
        return Calibration(**self.prepared["calibration"])

    @property
    def settings(self) -> dict[str, Any]:
        """LoadGen's settings, as it was given them."""
        return dict(self.prepared["settings"])


def measure(
    plan: RunPlan,
    directory: Path,
    watch: supervise.Watch,
    runner_log: Path,
    accuracy: bool = False,
    calibration: Calibration | None = None,
) -> Measured:
    """Run one LoadGen test.

    Args:
        plan: what to measure.
        directory: where LoadGen's files go.
        watch: is told of phases and progress.
        runner_log: file to which the runner's output is appended.
        accuracy: LoadGen's accuracy mode instead of its performance mode.
        calibration: taken instead of a new one.

    Raises:
        UserError, RunError: see :func:`mlharness.supervise.run`.
    """
    job = Job(
        "measure",
        plan.host.blocked,
        plan,
        directory=str(directory),
        accuracy=accuracy,
        calibration=calibration,
        stall_timeout_s=plan.host.stall_timeout_s,
    )
    outcome = supervise.run(job, watch, runner_log, plan.host.interpreter)
    return Measured(directory, read_log(directory), outcome.one("prepared"), outcome.one("measured"))
