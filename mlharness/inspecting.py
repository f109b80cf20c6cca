"""What a model file and its framework say of themselves, learnt by loading the model once in a runner."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlharness import supervise
from mlharness.request import Request
from mlharness.runner.job import Job, Message


def inspect_model(request: Request, watch: supervise.Watch) -> Message:
    """Inputs and outputs of the loaded model, the framework's version, and its devices.

    Raises:
        UserError: the model cannot be fetched or loaded, or is not what its manifest says.
    """
    with tempfile.TemporaryDirectory(prefix="mlharness-") as folder:
        log = Path(folder) / "runner.log"
        plan = request.plan(request.fetch(watch, log))
        outcome = supervise.run(Job("inspect", request.blocked, plan), watch, log, plan.host.interpreter)
    return outcome.one("inspected")
