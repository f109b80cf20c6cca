"""The observer: nothing unless asked, everything of a run when asked, and a warning when MLflow cannot be reached."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from mlharness_mlflow import apart, plugin
from stores import artefacts, only_run

from mlharness import hookspecs
from mlharness.payloads import RunFinished
from mlharness.plugins import build_manager

Bench = Callable[..., dict[str, Any]]


def bench(mlh_bench: Bench, **choices: Any) -> dict[str, Any]:
    """A short run that is told to this plugin."""
    return mlh_bench("null", duration_s=0.2, plugins=build_manager(block=["builtin-store"]), **choices)


def test_it_is_found_by_its_entry_point_and_provides_hooks_of_the_specification() -> None:
    (entry,) = metadata.distribution("mlharness-mlflow").entry_points
    assert (entry.group, entry.load()) == ("mlharness", plugin)
    hooks = [name for name in vars(plugin) if name.startswith("mlh_")]
    assert hooks == ["mlh_on_run_finished"]
    assert all(hasattr(hookspecs, name) for name in hooks)
    (found,) = (one for one in build_manager().found if one.name == "mlharness-mlflow")
    assert not found.error


def test_neither_the_plugin_nor_the_observed_process_imports_mlflow() -> None:
    code = (
        "import sys, mlharness_mlflow.plugin, mlharness_mlflow.apart;"
        "assert not any(name.partition('.')[0] == 'mlflow' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_a_server_nothing_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def started(*words: Any, **how: Any) -> None:
        raise AssertionError(words)

    monkeypatch.setattr(subprocess, "run", started)
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv(plugin.TRACKING_URI, raising=False)
        else:
            monkeypatch.setenv(plugin.TRACKING_URI, value)
        plugin.mlh_on_run_finished(RunFinished("run", tmp_path, {}))


def test_a_run_is_logged(store: MlflowClient, mlh_bench: Bench) -> None:
    result = bench(mlh_bench, labels={"who": "me"})
    assert result["status"] == "valid"
    assert not any("mlflow" in text for text in result["warnings"])
    run = only_run(store)
    assert (run.info.status, run.info.run_name) == ("FINISHED", result["run_id"])
    assert run.data.metrics[result["metric"]["name"]] == pytest.approx(result["metric"]["value"])
    assert run.data.metrics["latency_p99_ns"] == pytest.approx(result["latency_ns"]["p99"])
    expected = {"model": "null", "framework": "null", "scenario": "SingleStream", "rules": "quick"}
    assert {name: run.data.params[name] for name in expected} == expected
    tags = run.data.tags
    assert (tags["mlharness.run_id"], tags["mlharness.status"]) == (result["run_id"], "valid")
    assert (tags["label.who"], tags["mlharness.host"]) == ("me", result["system"]["host"])
    assert tags["mlharness.fingerprint"] == result["fingerprint"]["sha256"]
    assert tags["mlflow.note.content"].startswith("VALID (quick)")
    found = sorted(artefacts(store, run.info.run_id))
    assert found == [
        "manifests/dataset/null.yaml", "manifests/model/null.yaml", "plan.json", "result.json", "system.json",
    ]  # fmt: skip


def test_a_server_that_is_not_there_is_a_warning(
    store: MlflowClient, mlh_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv(plugin.TRACKING_URI, f"http://someone:secret@127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = bench(mlh_bench)
    assert result["status"] == "valid"
    (warning,) = (text for text in result["warnings"] if "mlflow" in text)
    assert warning.startswith("observer mlharness-mlflow failed in mlh_on_run_finished: TrackingError: ")
    assert "onnection refused" in warning
    assert warning.endswith(f"log it later: python -m mlharness_mlflow {result['run_id']}")
    assert "secret" not in warning


def test_a_server_that_never_answers_is_left(store: MlflowClient, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv(plugin.TRACKING_URI, f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setattr(apart, "PATIENCE_S", 0.5)
        with pytest.raises(apart.TrackingError, match=r"no answer within 0\.5 seconds; log it later"):
            plugin.mlh_on_run_finished(RunFinished(made.name, made, {}))


def test_a_process_that_dies_without_a_word(made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(plugin.TRACKING_URI, "file:///nowhere")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(apart.TrackingError, match="MLflow's process left with 1"):
        plugin.mlh_on_run_finished(RunFinished(made.name, made, {}))


def test_limits_of_the_user_stay() -> None:
    found = apart.environment({"MLFLOW_HTTP_REQUEST_TIMEOUT": "300", "MLFLOW_DISABLE_TELEMETRY": "false"})
    assert (found["MLFLOW_HTTP_REQUEST_TIMEOUT"], found["MLFLOW_DISABLE_TELEMETRY"]) == ("300", "false")
    assert int(found["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) < 7
    assert apart.environment({})["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert apart.environment({"PYTHONSAFEPATH": ""})["PYTHONSAFEPATH"] == "1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to http://me:pw@host/x failed", "to http://***@host/x failed"),
        ("postgresql://u:p%40@h/d and http://h/@x", "postgresql://***@h/d and http://h/@x"),
    ],
)
def test_addresses_lose_their_passwords(text: str, shown: str) -> None:
    assert apart.without_password(text) == shown
