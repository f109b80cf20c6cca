"""Starts the logging of a run in a process of its own, which is given a limited time.

MLflow stays out of the process that watches the next run of a series: its import starts threads. And a server that
accepts a connection and never answers is left alone after a while, whatever MLflow's own limits are.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PATIENCE_S = 120.0
"""The longest that a run waits for MLflow: the first one makes the tables of a database, on a busy machine in 30."""
_CALM = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "15", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""MLflow's own: 120 seconds, and seven times."""
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true"}
"""MLflow tells its makers about its use; who benchmarks has not agreed to that by naming a server."""
_USER = re.compile(r"(?<=://)[^/@\s'\"]+@")
_LONGEST = 500


class TrackingError(Exception):
    """A run could not be logged. The run itself is complete."""


def log_apart(directory: Path) -> None:
    """Log a run directory to the server of ``MLFLOW_TRACKING_URI``.

    Raises:
        TrackingError: MLflow cannot be used, refuses, or does not answer; with what to type to do it later.
    """
    again = f"log it later: python -m mlharness_mlflow {directory.name}"
    command = [sys.executable, "-m", "mlharness_mlflow", str(directory)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PATIENCE_S,
            env=environment(os.environ),
        )
    except subprocess.TimeoutExpired:
        raise TrackingError(f"no answer within {PATIENCE_S:g} seconds; {again}") from None
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"MLflow's process left with {done.returncode}"]
        raise TrackingError(f"{without_password(told[-1])[:_LONGEST]}; {again}")


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process: limits that the user has not set are shorter than MLflow's.

    A module in the current folder does not stand in for one of MLflow's (from Python 3.11).
    """
    return {**_CALM, **_QUIET, **given, "PYTHONSAFEPATH": "1"}


def without_password(text: str) -> str:
    """A text without the user and the password of the addresses in it: it is going to be in a result."""
    return _USER.sub("***@", text)
