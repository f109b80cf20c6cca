"""What MLflow holds of a run, however it ended and whatever it holds; and that none is there twice or by halves."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from mlharness_mlflow import __main__ as program
from mlharness_mlflow.apart import log_apart
from mlharness_mlflow.entries import key_of, metrics, params, tags
from mlharness_mlflow.tracking import Tracking, manifests
from stores import artefacts, only_run

Copy = Callable[..., Path]


def document(directory: Path, name: str) -> dict[str, Any]:
    found = json.loads((directory / f"{name}.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("status", "ended"),
    [("valid", "FINISHED"), ("invalid", "FAILED"), ("failed", "FAILED"), ("interrupted", "KILLED")],
)
def test_the_status(store: MlflowClient, copy: Copy, status: str, ended: str) -> None:
    Tracking().log(copy(status=status, metric=None, latency_ns=None, quality=None, invalid_reasons=["so it is"]))
    run = only_run(store)
    assert run.info.status == ended
    assert "so it is" in run.data.tags["mlflow.note.content"]


def test_a_run_is_logged_once(store: MlflowClient, made: Path) -> None:
    assert Tracking().log(made).startswith("logged as run ")
    assert Tracking().log(made) == f"is run {only_run(store).info.run_id} already"


@pytest.mark.parametrize("gone", [False, True])
def test_what_could_not_be_completed_is_removed_and_made_anew(
    store: MlflowClient, made: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    def fail(*words: Any) -> None:
        raise OSError("the server is full")

    with monkeypatch.context() as patch:
        patch.setattr(Tracking, "_upload", fail)
        if gone:
            patch.setattr(MlflowClient, "delete_run", fail)
        with pytest.raises(OSError, match="the server is full"):
            Tracking().log(made)
    experiment = store.get_experiment_by_name("mlharness")
    assert experiment is not None
    assert len(store.search_runs([experiment.experiment_id])) == gone
    Tracking().log(made)
    assert only_run(store).info.status == "FINISHED"


def test_logs_are_extra(store: MlflowClient, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_MLFLOW_LOGS", "1")
    Tracking().log(made)
    found = set(artefacts(store, only_run(store).info.run_id))
    assert {"logs/mlperf_log_detail.txt", "logs/mlperf_log_summary.txt", "logs/runner.log"} <= found


@pytest.mark.parametrize("by", ["NAME", "ID"])
def test_the_experiment_is_the_users(store: MlflowClient, made: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    id_ = store.create_experiment("speed")
    monkeypatch.setenv(f"MLFLOW_EXPERIMENT_{by}", "speed" if by == "NAME" else id_)
    Tracking().log(made)
    assert len(store.search_runs([id_])) == 1


def test_every_parameter_says_what_was_asked(made: Path) -> None:
    found = params(document(made, "result"), document(made, "plan"))
    assert found["test.duration_s"] == "0.2"
    assert found["framework.batch_size"] == str(document(made, "plan")["batching"]["batch_size"])
    assert found["dataset"] == "null"
    assert not {"None", "", "{}"} & set(found.values())


def test_accuracy_is_a_metric(made: Path) -> None:
    score = {"metric": "top1", "value": 91.5, "unit": "%", "details": {"top5": 97.5}}
    found = metrics({**document(made, "result"), "accuracy": score})
    assert (found["accuracy.top1"], found["accuracy.top1.top5"]) == (91.5, 97.5)


def test_hostile_words_and_numbers_are_made_to_fit(store: MlflowClient, copy: Copy) -> None:
    latency = {"mean": math.nan, "p50": 1.0}
    labels = {"../..": "x", "a?*b\n": "c", "": "d", "long" * 100: "v" * 100_000}
    directory = copy(labels=labels, latency_ns=latency, warnings=["w" * 100_000])
    Tracking().log(directory)
    run = only_run(store)
    assert run.data.metrics["latency_p50_ns"] == 1.0
    assert "latency_mean_ns" not in run.data.metrics
    assert "c" in run.data.tags.values()
    assert set(tags(document(directory, "result"))) <= set(run.data.tags)


@pytest.mark.parametrize(
    ("name", "key"), [("p99.9", "p99.9"), ("a?b", "a_b"), ("a/../b", "a/_/b"), ("/", "_/_"), ("", "_"), ("é", "é")]
)
def test_keys(name: str, key: str) -> None:
    assert key_of(name) == key


def test_a_manifest_that_has_changed_since_is_left_out(made: Path, tmp_path: Path) -> None:
    plan = document(made, "plan")
    found = [(kind, path.parent.name, path.name) for kind, path in manifests(plan)]
    assert found == [("model", "models", "null.yaml"), ("dataset", "datasets", "null.yaml")]
    changed = tmp_path / "null.yaml"
    changed.write_text("other", "utf-8")
    plan["host"] |= {"model_manifest": str(changed), "dataset_manifest": str(tmp_path / "gone.yaml")}
    assert list(manifests(plan)) == []


class TestProgram:
    """``python -m mlharness_mlflow``."""

    def test_runs_are_logged_later(self, store: MlflowClient, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert program.main([str(made), str(made)]) == 0
        assert capsys.readouterr().out == f"{made.name}: logged as run {only_run(store).info.run_id}\n"

    @pytest.mark.parametrize(
        ("names", "words"), [([], "which run?"), (["./nowhere"], "nowhere"), (["@-9"], "there are not so many runs")]
    )
    def test_a_mistake(
        self, store: MlflowClient, capsys: pytest.CaptureFixture[str], names: list[str], words: str
    ) -> None:
        assert program.main(names) == 2
        assert words in capsys.readouterr().err

    def test_without_a_server(
        self, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert program.main([str(made)]) == 2
        assert "MLFLOW_TRACKING_URI is not set" in capsys.readouterr().err

    def test_what_mlflow_refuses(
        self, store: MlflowClient, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "12345")
        assert program.main([str(made)]) == 3
        told = capsys.readouterr().err
        assert "12345" in told
        assert told.count("\n") == 1


def test_a_database_holds_the_same(
    store: MlflowClient, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where MLflow puts the artefacts of a database
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    log_apart(made)  # in a process of its own: here MLflow's use of SQLAlchemy would be a warning, and so an error
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert database.execute("SELECT name, status FROM runs").fetchall() == [(made.name, "FINISHED")]
        (samples,) = database.execute("SELECT value FROM latest_metrics WHERE key = 'samples'").fetchone()
    assert samples == document(made, "result")["samples"]
    assert [path.parent.name for path in tmp_path.rglob("artifacts/result.json")] == ["artifacts"]
