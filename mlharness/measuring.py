"""One LoadGen test from the parent's side: a runner process, then the log that it left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlharness import rundir, supervise
from mlharness.errors import RunError, UserError
from mlharness.loadgen_log import DETAIL_LOG, LoadGenLog, read_log
from mlharness.plan import RunPlan
from mlharness.runner.job import Calibration, Job, Message, TraceJob

_LAST_KEY = {"performance": "num_errors", "accuracy": "power_end"}
"""What LoadGen writes last, or nearly so, into the detail log of each mode."""

_WRONG_ANSWERS = (
    "Attempted to complete a sample twice",
    "Received completion for an old sample",
    "Encountered incomplete samples",
)
"""LoadGen's words for samples that were not answered once each; its other errors leave a figure that is INVALID."""


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
    trace: TraceJob | None = None,
) -> Measured:
    """Run one LoadGen test.

    Args:
        plan: what to measure.
        directory: where LoadGen's files go.
        watch: is told of phases and progress.
        runner_log: file to which the runner's output is appended.
        accuracy: LoadGen's accuracy mode instead of its performance mode.
        calibration: taken instead of a new one.
        trace: makes it a traced test.

    Raises:
        UserError, RunError: see :func:`mlharness.supervise.run`, and :func:`check_log`.
    """
    job = Job(
        "measure",
        plan.host.blocked,
        plan,
        directory=str(directory),
        accuracy=accuracy,
        calibration=calibration,
        stall_timeout_s=plan.host.stall_timeout_s,
        trace=trace,
    )
    reader = LogReader(directory / DETAIL_LOG)
    outcome = supervise.run(job, reader.watch(watch), runner_log, plan.host.interpreter)
    log = read_log(directory)
    check_log(log, accuracy)
    if rundir.disk_is_full(directory):
        raise RunError("LoadGen's logs may be cut off", "Free some space, or use --output DIR.")
    measured = Measured(directory, log, outcome.one("prepared"), outcome.one("measured"))
    keep(measured)
    return measured


def keep(measured: Measured) -> None:
    """Write what the runner said beside LoadGen's files. Raises RunError when the disk refuses."""
    document = {"prepared": measured.prepared, "measured": measured.measured}
    try:
        rundir.write_json(measured.directory / rundir.MEASURED, document)
    except UserError as error:
        raise RunError(error.message, error.remedy) from error


class LogReader:
    """Reads LoadGen's log along while a test goes on, for errors after which no figure can come of it."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def watch(self, told: supervise.Watch) -> supervise.Watch:
        """The same watch, with the log read before progress is handed on."""

        def progress(name: str, done: int, total: int | None, elapsed_s: float) -> None:
            self.look()
            told.progress(name, done, total, elapsed_s)

        return replace(told, progress=progress)

    def look(self) -> None:
        """Read what is new. Raises RunError for samples that were not answered once each."""
        try:
            with self._path.open("rb") as log:
                log.seek(self._read)
                new = log.read()
        except OSError:
            return  # LoadGen has yet to make it
        self._read += new.rfind(b"\n") + 1
        for line in new.decode(errors="replace").splitlines():
            check_answers([error for error in _WRONG_ANSWERS if error in line])


def check_log(log: LoadGenLog, accuracy: bool) -> None:
    """Raise RunError for a log that is cut off, or says that samples were not answered once each."""
    last = _LAST_KEY["accuracy" if accuracy else "performance"]
    if last not in log.values:
        raise RunError(f"LoadGen's log is cut off: it has no {last}", "Is the disk full? See runner.log.")
    check_answers([error for error in log.errors if error.startswith(_WRONG_ANSWERS)])


def check_answers(errors: Sequence[str]) -> None:
    """Raise RunError when LoadGen noted such errors."""
    if errors:
        raise RunError(
            f"LoadGen noted errors, so that its figures mean nothing: {errors[0]}",
            "Report it to the author of the plugin that answered, or as a bug in mlharness.",
        )
