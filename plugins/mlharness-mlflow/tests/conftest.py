"""A run of the null model, and stores of MLflow's on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from mlharness.testing import run_with_loadgen

pytest_plugins = ["mlharness.testing.fixtures"]

Copy = Callable[..., Path]


@pytest.fixture(scope="session")
def made(mlh_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was really made, in both modes."""
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"MLH_{kind}_DIR", str(mlh_folder / kind.lower()))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        result = run_with_loadgen("null", root, duration_s=0.2, labels={"who": "me", "a?b": "c"})
    return root / str(result["run_id"])


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Copy:
    """``copy(status="failed")``: the run's directory once more, with these things in its result."""

    def make(**changes: Any) -> Path:
        directory = tmp_path / made.name
        shutil.copytree(made, directory)
        result = json.loads((directory / "result.json").read_text("utf-8"))
        (directory / "result.json").write_text(json.dumps({**result, **changes}), "utf-8")
        return directory

    return make


@pytest.fixture
def store(mlh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A file store of this test's own, which MLflow wants to be asked for, in its maintenance, by a variable."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLH_MLFLOW_LOGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    return MlflowClient()
