"""A plugin whose observer takes its time: in the phase that MLH_FAKE_SLOW_PHASE names, else at the end of the run."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mlharness import hookimpl
from mlharness.payloads import PhaseStarted, RunFinished


@hookimpl
def mlh_on_phase_started(phase: PhaseStarted) -> None:
    if phase.phase == os.environ.get("MLH_FAKE_SLOW_PHASE"):
        take_time()


@hookimpl
def mlh_on_run_finished(finished: RunFinished) -> None:
    if "MLH_FAKE_SLOW_PHASE" not in os.environ:
        take_time()


def take_time() -> None:
    Path(os.environ["MLH_FAKE_MARK"]).touch()
    time.sleep(3600)
