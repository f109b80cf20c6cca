"""Logs run directories with MLflow's client. Importing this module imports MLflow, in a process that is made for it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mlharness import rundir
from mlharness_mlflow.entries import RUN_ID, metrics, mlflow_status, params, tags

EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
EXPERIMENT_ID = "MLFLOW_EXPERIMENT_ID"
DEFAULT_EXPERIMENT = "mlharness"
LOGS = "MLH_MLFLOW_LOGS"
"""Set to 1, LoadGen's logs and the runner's go to MLflow, too."""
MANIFESTS = "manifests"
_BATCH = 100
"""So many parameters or tags MLflow takes at once."""


class Tracking:
    """The experiment of MLflow's own variables, or ``mlharness``."""

    def __init__(self) -> None:
        self._client = MlflowClient()
        self._experiment: str = os.environ.get(EXPERIMENT_ID) or self._find(
            os.environ.get(EXPERIMENT) or DEFAULT_EXPERIMENT
        )

    def _find(self, name: str) -> str:
        """The id of an experiment, which is made where there is none."""
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:  # another mlh has just made it, or it cannot be made
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def log(self, directory: Path) -> str:
        """Log a run, unless it is there already; what has become of it, in words.

        A run of MLflow that could not be completed is removed, so that none is there by halves.
        """
        result, plan = read(directory / rundir.RESULT), read(directory / rundir.PLAN)
        for known in self._known(result["run_id"]):
            if known.info.status != "RUNNING":
                return f"is run {known.info.run_id} already"
            self._client.delete_run(known.info.run_id)
        about = tags(result)
        begun = milliseconds(result["started"])
        run = self._client.create_run(self._experiment, begun, about, run_name=result["run_id"])
        run_id = run.info.run_id
        try:
            self._fill(run_id, result, plan, milliseconds(result["finished"]))
            self._upload(run_id, directory, plan)
            self._client.set_terminated(run_id, mlflow_status(result), milliseconds(result["finished"]))
        except BaseException:
            with suppress(Exception):  # the server may be gone; the run stays RUNNING then, and is replaced next time
                self._client.delete_run(run_id)
            raise
        return f"logged as run {run_id}"

    def _known(self, run_id: str) -> Sequence[Run]:
        return list(self._client.search_runs([self._experiment], f"tags.`{RUN_ID}` = '{run_id}'"))

    def _fill(self, run_id: str, result: Mapping[str, Any], plan: Mapping[str, Any], time: int) -> None:
        figures = [Metric(name, value, time, 0) for name, value in metrics(result).items()]
        settings = [Param(name, value) for name, value in params(result, plan).items()]
        self._client.log_batch(run_id, metrics=figures)
        for start in range(0, len(settings), _BATCH):
            self._client.log_batch(run_id, params=settings[start : start + _BATCH])

    def _upload(self, run_id: str, directory: Path, plan: Mapping[str, Any]) -> None:
        for name in (rundir.RESULT, rundir.PLAN, rundir.SYSTEM, rundir.LABELS):
            if (directory / name).is_file():
                self._client.log_artifact(run_id, str(directory / name))
        for kind, manifest in manifests(plan):
            self._client.log_artifact(run_id, str(manifest), f"{MANIFESTS}/{kind}")
        if os.environ.get(LOGS, "0") not in ("", "0"):
            for log in logs(directory):
                folder = Path("logs") / log.parent.relative_to(directory)
                self._client.log_artifact(run_id, str(log), folder.as_posix())


def read(path: Path) -> dict[str, Any]:
    """A document of a run directory. Raises OSError and ValueError."""
    found = json.loads(path.read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no object")  # noqa: TRY004  # a file's content, not an argument
    return found


def manifests(plan: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """``model`` and ``dataset`` with their manifests, as far as these are still those of the run."""
    for kind in ("model", "dataset"):
        path = Path(plan.get("host", {}).get(f"{kind}_manifest") or "-")
        with suppress(OSError):  # another host's, or deleted since
            if hashlib.sha256(path.read_bytes()).hexdigest() == plan[kind]["manifest_sha256"]:
                yield kind, path


def logs(directory: Path) -> Iterator[Path]:
    """LoadGen's logs and the runner's, wherever a mode or a failure has put them."""
    yield from sorted(path for path in directory.rglob("mlperf_log_*") if path.is_file())
    if (directory / rundir.RUNNER_LOG).is_file():
        yield directory / rundir.RUNNER_LOG


def milliseconds(time: str) -> int:
    """A time of a result as MLflow has it: milliseconds since 1970."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)
