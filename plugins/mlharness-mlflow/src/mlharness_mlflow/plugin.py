"""The plugin: what mlharness finds through the entry point. Importing it does not import MLflow."""

from __future__ import annotations

import os

from mlharness import hookimpl
from mlharness.payloads import RunFinished

TRACKING_URI = "MLFLOW_TRACKING_URI"
"""MLflow's own variable; without it nothing is logged."""


@hookimpl
def mlh_on_run_finished(finished: RunFinished) -> None:
    """Log the run where the user's environment says. Raises TrackingError, which becomes a warning of the result."""
    if os.environ.get(TRACKING_URI):
        from mlharness_mlflow.apart import log_apart

        log_apart(finished.directory)
