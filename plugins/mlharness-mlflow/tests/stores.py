"""Reads what MLflow holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlflow.tracking import MlflowClient


def only_run(client: MlflowClient) -> Any:
    """The one run of the experiment ``mlharness``."""
    experiment = client.get_experiment_by_name("mlharness")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def artefacts(client: MlflowClient, run_id: str, path: str | None = None) -> Iterator[str]:
    """The paths of all files."""
    for found in client.list_artifacts(run_id, path):
        if found.is_dir:
            yield from artefacts(client, run_id, found.path)
        else:
            yield found.path
