"""A plugin whose observer raises."""

from __future__ import annotations

from mlharness import hookimpl
from mlharness.payloads import RunStarted


@hookimpl
def mlh_on_run_started(run: RunStarted) -> None:
    raise RuntimeError(f"cannot watch {run.run_id}")
