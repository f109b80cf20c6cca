"""A plugin whose observer takes its time."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mlharness import hookimpl
from mlharness.payloads import RunFinished


@hookimpl
def mlh_on_run_finished(finished: RunFinished) -> None:
    Path(os.environ["MLH_FAKE_MARK"]).touch()
    time.sleep(3600)
