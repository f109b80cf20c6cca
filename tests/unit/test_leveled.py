"""Leveled experimentation with tests that never ran: rounds, overheads, what is kept, and what fails."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlharness import leveled as module
from mlharness.analysis.loading import trace_of
from mlharness.errors import RunError
from mlharness.explaining.evidence import read_evidence
from mlharness.leveled import Experiment, LevelSet, nested, overhead
from mlharness.measuring import Measured
from mlharness.plan import RunPlan
from mlharness.resources import resource_folder
from mlharness.runner.job import TraceJob
from mlharness.supervise import Watch
from mlharness.trace.files import SOURCES, level_folder
from mlharness.trace.levels import LEVELS as ALL
from mlharness.trace.parquet import SPANS, open_trace, spans_for
from mlharness.tracing import TraceWish
from tests.traces import NETWORK, Layer, make_run
from tests.unit.runner.making import a_plan
from tests.unit.runner.measurements import a_measured

LEVELS = ("application", "model", "framework", "library")
BASE = {(): 1000.0, ("application", "model"): 1010.0, LEVELS[:3]: 1200.0, LEVELS: 1500.0}


class Measure:
    """Stands in for LoadGen's tests: a median latency that drifts from round to round, alike for all levels."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.plans: list[RunPlan] = []
        self.failing: set[tuple[int, tuple[str, ...]]] = set()
        self.missing: set[str] = set()

    def __call__(
        self,
        plan: RunPlan,
        directory: Path,
        watch: Any,
        log: Path,
        calibration: Any = None,
        trace: TraceJob | None = None,
    ) -> Measured:
        levels = trace.levels if trace else ()
        number = sum(asked == levels for asked in self.asked)
        self.asked.append(levels)
        self.plans.append(plan)
        directory.mkdir(parents=True)
        if (number, levels) in self.failing:
            raise RunError("the runner was killed by SIGKILL")
        if trace:
            self.leave(Path(trace.folder), levels)
        values: dict[str, Any] = {"result_50.00_percentile_latency_ns": BASE[levels] * (1 + number / 10)}
        return a_measured(directory, **values)

    def leave(self, folder: Path, levels: tuple[str, ...]) -> None:
        sources: list[dict[str, Any]] = [
            {"name": f"{level}-tracer", "level": level, "plugin": "p", "state": "missing" if level in self.missing else
             "recorded", "reason": "no such thing here" if level in self.missing else "", "spans": 5, "readings": 0,
             "dropped": 0, "notes": []}
            for level in levels
        ]  # fmt: skip
        (folder / SOURCES).write_text(json.dumps({"sources": sources}), "utf-8")


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    stand_in = Measure()
    monkeypatch.setattr(module, "measure", stand_in)
    return stand_in


def experiment(tmp_path: Path, **test: Any) -> Experiment:
    plan = a_plan(test={"scenario": "SingleStream", **test})
    return Experiment(plan, TraceWish(LEVELS), tmp_path, lambda prefix: Watch(), tmp_path / "runner.log", None)


def test_levels_are_added_one_by_one_and_application_and_model_together() -> None:
    assert [chosen.levels for chosen in nested(LEVELS)] == list(BASE)
    assert [chosen.levels for chosen in nested(("application", "system"))] == [
        (), ("application",), ("application", "system"),
    ]  # fmt: skip


def test_each_level_has_its_overhead_and_what_it_adds(tmp_path: Path, measure: Measure) -> None:
    found = experiment(tmp_path).run()
    none, model, framework, library = found["sets"]
    assert (found["figure"], found["rounds"], none["overhead"]) == ("p50", 5, None)
    assert none["median"] == pytest.approx(1200)
    assert model["overhead"]["percent"] == pytest.approx(1)
    assert framework["overhead"]["percent"] == pytest.approx(20)
    assert framework["added"]["percent"] == pytest.approx(100 * (1200 / 1010 - 1))
    assert library["added"]["percent"] == pytest.approx(25)
    # the drift is that of the machine, which all runs of a round share: the ratio does not vary
    assert library["overhead"]["interval"] == pytest.approx([50, 50])
    assert library["overhead"]["rounds"] == 5


def test_each_round_begins_with_another_set(tmp_path: Path, measure: Measure) -> None:
    experiment(tmp_path).run(rounds=5)
    firsts = [measure.asked[4 * number] for number in range(5)]
    assert firsts == [*BASE, ()]
    assert all(set(measure.asked[4 * number : 4 * number + 4]) == set(BASE) for number in range(5))


def test_runs_are_short_and_judged_by_nobody(tmp_path: Path, measure: Measure) -> None:
    experiment(tmp_path, duration_s=60.0, rules="mlperf").run(rounds=1)
    assert {(plan.test.duration_s, plan.test.min_queries, plan.test.rules) for plan in measure.plans} == {
        (1.0, 1, "quick")
    }


def test_the_interval_is_students(tmp_path: Path) -> None:
    found = overhead([100.0, 100.0, 100.0], [110.0, 120.0, 130.0], "SingleStream")
    assert found is not None
    logs = [math.log(1.1), math.log(1.2), math.log(1.3)]
    mean = sum(logs) / 3
    spread = math.sqrt(sum((one - mean) ** 2 for one in logs) / 2 / 3)
    t = 4.302652729911275  # of two degrees of freedom, at 97.5 %, from tables
    assert found["interval"] == pytest.approx([100 * (math.exp(mean + sign * t * spread) - 1) for sign in (-1, 1)])


def test_offline_a_lower_rate_is_slower() -> None:
    assert overhead([100.0], [80.0], "Offline") == {"percent": pytest.approx(25), "interval": None, "rounds": 1}


def test_each_levels_spans_are_kept_and_found(tmp_path: Path, measure: Measure) -> None:
    found = experiment(tmp_path).run(rounds=3)
    assert [one["folder"] for one in found["sets"]] == [
        None, "trace/level-model", "trace/level-framework", "trace/level-library",
    ]  # fmt: skip
    assert spans_for(tmp_path, "framework") == tmp_path / "trace/level-framework" / SPANS
    assert spans_for(tmp_path, "application") == spans_for(tmp_path, "model") == tmp_path / "trace/level-model" / SPANS
    assert spans_for(tmp_path, "system") == tmp_path / SPANS
    with open_trace(tmp_path, "model") as database:
        assert database.execute("SELECT count(*) FROM spans").fetchone() == (0,)
    assert not (tmp_path / "trace/leveled").exists()


def test_the_run_nearest_to_the_median_is_kept() -> None:
    assert LevelSet((), [5.0, None, 3.0, 4.2, 9.0]).nearest_round() == 3
    assert LevelSet((), [None]).nearest_round() is None


def test_a_run_that_fails_leaves_the_others(tmp_path: Path, measure: Measure) -> None:
    measure.failing = {(1, LEVELS), (0, LEVELS[:3]), (1, LEVELS[:3]), (2, LEVELS[:3])}
    found = experiment(tmp_path).run(rounds=3)
    _, _, framework, library = found["sets"]
    assert framework["speeds"] == [None, None, None]
    assert (framework["overhead"], framework["folder"]) == (None, None)
    assert library["speeds"][1] is None
    assert library["overhead"]["rounds"] == 2
    assert len(found["failures"]) == 4
    assert "library, round 2: the runner was killed by SIGKILL" in found["failures"]


def test_a_level_that_cannot_be_recorded_is_measured_once_only(tmp_path: Path, measure: Measure) -> None:
    measure.missing = {"framework"}
    found = experiment(tmp_path).run(rounds=3)
    framework, library = found["sets"][2:]
    assert measure.asked.count(LEVELS[:3]) == 1
    assert (framework["missing"], framework["overhead"]) == ("no such thing here", None)
    assert library["added"]["percent"] == pytest.approx(100 * (1500 / 1010 - 1))  # against the model's level


def test_the_document_is_as_the_schema_says(tmp_path: Path, measure: Measure) -> None:
    measure.missing, measure.failing = {"framework"}, {(0, LEVELS)}
    schema = json.loads((resource_folder("schemas") / "result.v1.schema.json").read_text("utf-8"))
    found = json.loads(json.dumps(experiment(tmp_path).run(rounds=2)))
    jsonschema.Draft202012Validator(schema["properties"]["trace"]["properties"]["leveled"]).validate(found)


def test_what_was_made_is_removed_when_the_user_interrupts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(plan: RunPlan, directory: Path, *rest: Any, **more: Any) -> Measured:
        directory.mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        experiment(tmp_path).run()
    assert not (tmp_path / "trace/leveled").exists()


def leveled_run(tmp_path: Path, layers: Sequence[Layer] = NETWORK) -> Path:
    """A full trace in which every layer took 10 us longer, and runs of the levels model and framework beside it."""
    run = make_run(tmp_path, layers=[replace(layer, ns=layer.ns + 10_000) for layer in NETWORK])
    for count, level in ((2, "model"), (3, "framework")):
        shallow = make_run(tmp_path / level, layers=layers, levels=ALL[:count])
        level_folder(run, level).mkdir(parents=True)
        (shallow / SPANS).rename(level_folder(run, level) / SPANS)
    return run


def test_analyses_take_times_from_the_run_without_deeper_levels(tmp_path: Path) -> None:
    traced = trace_of(leveled_run(tmp_path))
    assert [layer.latency_ns for layer in traced.layers] == [layer.ns for layer in NETWORK]
    assert traced.batches[0].latency_ns == 1_000_000
    assert traced.kernels, "which only the deeper run has"


def test_layers_that_cannot_be_matched_stay_those_of_the_deepest_run(tmp_path: Path) -> None:
    traced = trace_of(leveled_run(tmp_path, NETWORK[:3]))
    assert [layer.latency_ns for layer in traced.layers] == [layer.ns + 10_000 for layer in NETWORK]


def test_explanations_do_so_too(tmp_path: Path) -> None:
    evidence = read_evidence(leveled_run(tmp_path))
    assert evidence.layers is not None
    assert evidence.layers.layers_ns == evidence.layers.calls * 900_000
    assert evidence.calls is not None
    assert evidence.watched is not None
    assert set(evidence.calls.predict_ns.tolist()) == {1_000_000}
    assert set(evidence.watched.predict_ns.tolist()) == {1_050_000}
