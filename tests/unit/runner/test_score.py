"""Scoring: responses come from LoadGen's own log, whole and right, or there is no score."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.builtin.null import NullDataSet
from mlharness.errors import RunError, UserError
from mlharness.plan import PlannedStep, RunPlan
from mlharness.plugins import build_manager
from mlharness.providers import Array, ResponseSpec, Score, ScoreResponses
from mlharness.registrars import MetricRegistrar
from mlharness.runner.job import Job
from mlharness.runner.score import ACCURACY_LOG, describe, read_responses, score
from tests.unit.runner.making import a_channel, a_metric, a_plan

ONE = ResponseSpec("float32", (1,))
BOXES = ResponseSpec("float32", (None, 2))


def entry(index: int, values: list[float], dtype: str = "float32") -> dict[str, Any]:
    """A row of the log, as LoadGen writes it."""
    return {
        "seq_id": index,
        "qsl_idx": index,
        "data": np.array(values, dtype).tobytes().hex().upper(),
        "token_count": 0,
    }


def write(folder: Path, entries: list[dict[str, Any]]) -> Path:
    path = folder / ACCURACY_LOG
    path.write_text("[\n" + ",\n".join(json.dumps(one) for one in entries) + "\n]\n")
    return path


def test_responses_by_index_whatever_their_order(tmp_path: Path) -> None:
    log = write(tmp_path, [entry(index, [index / 4]) for index in (2, 0, 1)])
    found = read_responses(log, ONE, 3)
    assert {index: row.tolist() for index, row in found.items()} == {0: [0.0], 1: [0.25], 2: [0.5]}
    assert found[0].dtype == np.float32


def test_rows_of_any_length_even_none(tmp_path: Path) -> None:
    log = write(tmp_path, [entry(0, [1, 2, 3, 4]), entry(1, [])])
    found = read_responses(log, BOXES, 2)
    assert (found[0].shape, found[1].shape) == ((2, 2), (0, 2))


def test_text_is_bytes(tmp_path: Path) -> None:
    log = write(tmp_path, [entry(0, list(b"na\xc3\xafve"), "uint8")])
    assert read_responses(log, ResponseSpec("uint8", (None,)), 1)[0].tobytes().decode() == "naïve"


def test_of_a_sample_logged_twice_the_first_counts(tmp_path: Path) -> None:
    log = write(tmp_path, [entry(0, [1]), entry(1, [2]), entry(0, [3])])
    assert read_responses(log, ONE, 2)[0].tolist() == [1.0]


def test_missing_samples_are_counted_and_named(tmp_path: Path) -> None:
    log = write(tmp_path, [entry(index, [0]) for index in range(20) if index % 2])
    with pytest.raises(RunError, match=r"logged 10 of 20 samples; missing: \[0, 2, 4, 6, 8, 10, 12, 14\]$"):
        read_responses(log, ONE, 20)


@pytest.mark.parametrize(
    ("data", "spec", "words"),
    [
        ("00000000", BOXES, r"sample 0 has 4 bytes, which are no float32 \[None, 2\]"),
        ("0000", ONE, "has 2 bytes"),
        ("0000000000000000", ONE, "has 8 bytes"),
        ("", ONE, "has 0 bytes"),
        ("XYZW0000", ONE, "of sample 0"),
    ],
)
def test_bytes_that_are_no_response(tmp_path: Path, data: str, spec: ResponseSpec, words: str) -> None:
    log = write(tmp_path, [{"seq_id": 0, "qsl_idx": 0, "data": data}])
    with pytest.raises(RunError, match=words):
        read_responses(log, spec, 1)


@pytest.mark.parametrize("keep", [0, 1, 40])
def test_a_log_that_is_cut_off(tmp_path: Path, keep: int) -> None:
    log = write(tmp_path, [entry(0, [1])])
    log.write_bytes(log.read_bytes()[:keep])
    with pytest.raises(RunError, match=r"mlperf_log_accuracy\.json cannot be read"):
        read_responses(log, ONE, 1)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        read_responses(tmp_path / ACCURACY_LOG, ONE, 1)


def test_numbers_of_numpy_are_numbers() -> None:
    found = describe(Score(np.float32(0.5), "%", np.int64(3), (np.float64(0.25), np.float64(1))))
    assert json.loads(json.dumps(found)) == {"value": 0.5, "unit": "%", "n": 3, "interval": [0.25, 1.0], "details": {}}
    assert describe(Score(1.0, "mAP", 3, None))["interval"] is None


@pytest.mark.parametrize(
    "bad",
    [Score(float("nan"), "%", 3, None), Score(float("inf"), "%", 3, None), Score(1.0, "%", 3, (0.0, float("nan")))],
)
def test_a_score_that_is_no_number_is_none(bad: Score) -> None:
    with pytest.raises(ValueError, match="the score is"):
        describe(bad)


def score_with(folder: Path, scorer: ScoreResponses, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The messages of the verb, over a null data set of three samples whose labels are all 0."""
    monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)
    plugins = build_manager()
    MetricRegistrar(plugins.catalog, "mlh-mine").metric("mine", score=scorer, response=lambda options: ONE)
    write(folder, [entry(index, [index]) for index in range(3)])
    dataset = replace(a_plan().dataset, options={"count": 3, "shape": [16]})
    plan = a_plan(metric=a_metric(name="mine", plugin="mlh-mine"), dataset=dataset)
    with a_channel() as (channel, sent):
        score(Job("score", plan=plan, directory=str(folder)), plugins, channel)
        return sent()


def test_the_metric_is_given_responses_and_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def right(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
        hits = [row[0] == label(index) for index, row in responses.items()]
        return Score(sum(hits) / len(hits), "", len(hits), None)

    phase, scored = score_with(tmp_path, right, monkeypatch)
    assert (phase["name"], phase["detail"]) == ("score", "mine")
    assert scored["value"] == pytest.approx(1 / 3)
    assert scored["n"] == 3


@pytest.mark.parametrize(
    ("value", "words"), [(float("nan"), "the score is nan"), (None, "TypeError"), ("high", "ValueError")]
)
def test_a_metric_that_fails_is_named_with_its_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, words: str
) -> None:
    with pytest.raises(RunError, match=f"metric 'mine' of mlh-mine failed: .*{words}"):
        score_with(tmp_path, lambda responses, label, options: Score(value, "%", 3, None), monkeypatch)


OWN = """
def score(responses, label, options):
    return {"value": double(sum(float(row[0]) for row in responses.values())), "details": {"label": label(0)}}
"""


def own_plan(source: str, *steps: str) -> RunPlan:
    options = {"source": source, "line": 20, "unit": "s", "options": None}
    dataset = replace(a_plan().dataset, options={"count": 3, "shape": [16]})
    made = tuple(PlannedStep("python", "builtin-inline", {"source": step, "line": 3}) for step in steps)
    metric = a_metric(name="python", plugin="builtin-inline", options=options)
    return a_plan(metric=metric, dataset=dataset, postprocess=made)


def score_own(folder: Path, plan: RunPlan) -> dict[str, Any]:
    write(folder, [entry(index, [index]) for index in range(3)])
    with a_channel() as (channel, sent):
        score(
            Job("score", plan=plan, directory=str(folder)),
            build_manager(allow=["builtin-inline", "builtin-null"]),
            channel,
        )
        return dict(sent()[-1])


def test_the_manifests_own_metric_runs_in_the_module_of_its_steps(tmp_path: Path) -> None:
    step = "def double(x): return 2 * x\ndef postprocess(ctx, data): raise AssertionError"
    found = score_own(tmp_path, own_plan(OWN, step))
    assert (found["value"], found["unit"], found["n"], found["details"]) == (6.0, "s", 3, {"label": 0.0})


@pytest.mark.parametrize(
    ("source", "step", "said"),
    [
        (OWN, "", r"/m/tiny\.yaml:22: score\(responses, label, options\) failed: NameError: name 'double'"),
        (OWN, "\n1 / 0", r"/m/tiny\.yaml:4: the Python of step 'python' failed: ZeroDivisionError"),
        ("def score(responses, label, options): return None", "", r"/m/tiny\.yaml:20: .* returned NoneType"),
        ("def score(responses, label, options): return float('nan')", "", "metric 'python' .*the score is nan"),
    ],
)
def test_what_the_manifests_own_metric_does_wrong_is_told_with_its_line(
    tmp_path: Path, source: str, step: str, said: str
) -> None:
    with pytest.raises(RunError, match=said):
        score_own(tmp_path, own_plan(source, step))


def test_fewer_labels_than_samples_are_told_as_such_whatever_the_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NullDataSet, "label", lambda self, index: [5, 5][index])
    wanted = r"/m/zeros\.yaml: the data set 'zeros' has 3 samples, and no label for sample 2"
    with pytest.raises(UserError, match=wanted) as raised:
        score_own(tmp_path, own_plan("def score(responses, label, options): return [label(i) for i in responses]"))
    assert "null" in raised.value.remedy


def test_a_plan_without_a_metric(tmp_path: Path) -> None:
    with a_channel() as (channel, _), pytest.raises(RunError, match="names no metric"):
        score(Job("score", plan=a_plan(), directory=str(tmp_path)), build_manager(entry_points=()), channel)
