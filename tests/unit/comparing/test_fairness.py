"""What differs between two runs, and which differences make ranking them unfair."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mlharness.comparing.comparison import why_unfair
from mlharness.comparing.fairness import ASPECTS, Difference, differences
from mlharness.comparing.runs import Run
from mlharness.plan import PlannedStep
from mlharness.resources import resource_folder
from tests.unit.comparing.making import a_run, changed
from tests.unit.runner.making import a_plan

OTHER = "f" * 64
SKETCH = [[0.5, 1.0, -0.5]] * 4
ROUNDED = {"samples": 4, "sha256": OTHER, "sketch": [[0.5, 1.001, -0.5]] * 4}
OTHER_MODEL = {"samples": 4, "sha256": OTHER, "sketch": [[0.5, 2.0, -0.5]] * 4}
OTHER_FILES = [{"path": "tiny.safetensors", "sha256": OTHER}]


def found(changes: Mapping[str, Any], plan: Mapping[str, Any] | None = None) -> list[Difference]:
    """The differences of a run and the same with such changes of its result and its plan."""
    other = a_run(2, changes=changes)
    if plan:
        other = replace(other, plan=changed(json.loads(json.dumps(other.plan)), plan))
    return differences(a_run(1), other)


def told(found: list[Difference]) -> list[tuple[str, str, bool]]:
    return [(difference.aspect, difference.name, bool(difference.unfair)) for difference in found]


def test_two_runs_of_one_plan_differ_in_nothing() -> None:
    assert differences(a_run(1), a_run(2, 1.5)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"scenario": "MultiStream"}, [("scenario", "scenario", True)]),
        ({"rules": "mlperf"}, [("rules", "rules", True)]),
        ({"dataset.name": "ones"}, [("data", "data set", True)]),
        ({"dataset.manifest_sha256": OTHER}, [("data", "manifest", True)]),
        ({"dataset.count": 4}, [("data", "samples", True)]),
        ({"model.weights": "random"}, [("weights", "weights", True)]),
        ({"fingerprint": ROUNDED}, [("outputs", "fingerprint", False)]),
        ({"fingerprint": OTHER_MODEL}, [("outputs", "fingerprint", True)]),
        ({"model.files": OTHER_FILES}, [("weights", "model files", False)]),
        ({"model.name": "big", "model.version": "2"}, [("model", "name", False), ("model", "version", False)]),
        ({"model.manifest_sha256": OTHER}, [("manifest", "manifest", False)]),
        ({"framework.name": "torch"}, [("versions", "framework", False)]),
        ({"framework.version": "1.3"}, [("versions", "framework version", False)]),
        ({"framework.device": "cuda:0"}, [("settings", "device", False)]),
        ({"framework.batch_size": 8}, [("settings", "batch_size", False)]),
        ({"framework.options": {"largest_batch": 4}}, [("settings", "option largest_batch", False)]),
        ({"system.host": "south", "system.cpu": "Two"}, [("host", "host", False), ("host", "cpu", False)]),
    ],
)  # fmt: skip
def test_each_difference_of_results(changes: dict[str, Any], expected: list[tuple[str, str, bool]]) -> None:
    assert told(found(changes)) == expected


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({"test.audit_conf_sha256": OTHER}, [("audit", "audit.config", True)]),
        ({"preprocess": []}, [("preprocessing", "preprocess", False)]),
        ({"postprocess": [{"name": "tensor.argmax", "parameters": {}}]}, [("settings", "postprocess", False)]),
        ({"warmup": 5}, [("settings", "warmup", False)]),
        ({"model.outputs": [{"name": "y", "dtype": "float16"}]}, [("precision", "outputs", True)]),
        ({"model.inputs": [{"name": "other", "dtype": "float32"}]}, []),
    ],
)
def test_each_difference_of_plans(plan: dict[str, Any], expected: list[tuple[str, str, bool]]) -> None:
    assert told(found({}, plan)) == expected


def options(**values: Any) -> Run:
    return a_run(changes={"framework.options": {"largest_batch": 8, **values}})


@pytest.mark.parametrize(
    ("a", "b", "differ"),
    [
        ({}, {"precision": "float32"}, False),
        ({"precision": "none"}, {"mixed_precision": False}, False),
        ({}, {"precision": "bfloat16"}, True),
        ({"precision": "float32"}, {"mixed_precision": True}, True),
        ({"compute_type": "int8"}, {"compute_type": "float16"}, True),
    ],
)
def test_precision_whatever_a_framework_calls_it(a: dict[str, Any], b: dict[str, Any], differ: bool) -> None:
    aspects = [difference.aspect for difference in differences(options(**a), options(**b)) if difference.unfair]
    assert aspects == (["precision"] if differ else [])


SETTINGS = {"server_target_latency_ns": 15_000_000, "server_target_latency_percentile": 0.99, "server_target_qps": 10.0}
TRIAL = {"purpose": "trial", "target_qps": 1.0, "queries": 5, "valid": True, "p99_latency_ns": None}


def server(trials: list[dict[str, Any]] | None = None, **settings: Any) -> Run:
    run = a_run(plan=a_plan(test={"scenario": "Server"}))
    calibration = {**run.result["calibration"], "settings": {**SETTINGS, **settings}, "trials": trials or []}
    return replace(run, result={**run.result, "calibration": calibration})


@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        (server(), server(server_target_latency_ns=20_000_000), ["server_target_latency_ns"]),
        (server(), server(server_target_latency_percentile=0.9), ["server_target_latency_percentile"]),
        (server(), server(server_target_qps=11.0), ["rate"]),
        (server([TRIAL]), server([TRIAL], server_target_qps=11.0), []),
        (server([TRIAL]), server(), ["rate"]),
    ],
)
def test_servers_targets(a: Run, b: Run, names: list[str]) -> None:
    assert told(differences(a, b)) == [("target", name, True) for name in names]


def test_the_same_network_in_another_format_is_the_same_model() -> None:
    """Batch normalisation is folded in one and not in the other: other files, other numbers of weights."""
    changes = {"model.files": OTHER_FILES, "fingerprint": ROUNDED, "model.parameters": 25_600_000}
    assert told(found(changes)) == [
        ("outputs", "fingerprint", False), ("weights", "model files", False), ("network", "parameters", False),
    ]  # fmt: skip


def test_other_answers_are_another_network() -> None:
    changes = {"model.files": OTHER_FILES, "fingerprint": OTHER_MODEL, "model.parameters": 1}
    assert told(found(changes))[-1] == ("network", "parameters", True)


def test_other_files_without_fingerprints_may_be_anything() -> None:
    changes = {"fingerprint": None}
    assert told(found(changes)) == []
    assert told(found({**changes, "model.files": OTHER_FILES}))[0] == ("outputs", "fingerprint", True)


@pytest.mark.parametrize(("change", "unfair"), [({}, False), ({"model.multiply_adds": 9}, True)])
def test_random_weights_answer_anything_but_make_no_other_network(change: dict[str, Any], unfair: bool) -> None:
    random = {"model.weights": "random"}
    other = {**random, "fingerprint": OTHER_MODEL, "model.files": OTHER_FILES, **change}
    found = differences(a_run(1, changes=random), a_run(2, changes=other))
    assert any(difference.unfair for difference in found) is unfair


def test_only_the_packages_that_differ_are_told() -> None:
    a, b = a_run(1), a_run(2)
    b = replace(b, system={**b.system, "packages": {"mlharness": "0.2.0", "numpy": "2.1", "click": "8.2", "new": "1"}})
    assert differences(a, b) == [
        Difference("versions", "mlharness", "0.1.0", "0.2.0"),
        Difference("versions", "other packages", {"click": "8.1", "new": None}, {"click": "8.2", "new": "1"}),
    ]


def test_variables_that_tune_libraries_are_told() -> None:
    a, b = (replace(run, system={**run.system, "variables": found}) for run, found in (
        (a_run(1), {"OMP_NUM_THREADS": "2", "KMP_BLOCKTIME": "0"}),
        (a_run(2), {"OMP_NUM_THREADS": "2", "ONEDNN_MAX_CPU_ISA": "AVX2"}),
    ))  # fmt: skip
    assert differences(a, b) == [
        Difference(
            "environment", "variables", {"KMP_BLOCKTIME": "0", "ONEDNN_MAX_CPU_ISA": None},
            {"KMP_BLOCKTIME": None, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        )
    ]  # fmt: skip


def test_what_one_side_does_not_know_is_no_difference() -> None:
    assert differences(a_run(1), replace(a_run(2), plan={}, system={})) == []


def test_options_of_another_framework_are_not_told() -> None:
    other = {"framework.name": "torch", "framework.options": {"channels_last": True}}
    assert told(found(other)) == [("versions", "framework", False)]


def test_reasons_are_told_once_an_aspect() -> None:
    reasons = why_unfair(found({"dataset.name": "ones", "dataset.count": 4, "rules": "mlperf"}))
    assert reasons == ["rules: other rules (rules)", "data: other data (data set, samples)"]


def test_the_schema_knows_every_aspect() -> None:
    schema = json.loads((resource_folder("schemas") / "comparison.v1.schema.json").read_text("utf-8"))
    of_difference = schema["properties"]["comparisons"]["items"]["properties"]["differences"]["items"]["properties"]
    names = {"weights", "outputs", "network", "model", *(aspect.name for aspect in ASPECTS)}
    assert set(of_difference["aspect"]["enum"]) == names


def test_python_in_a_manifest_is_told_by_its_source() -> None:
    """A step that is inline Python has its source as a parameter."""
    make: Callable[[str], Run] = lambda source: a_run(  # noqa: E731  # used twice, below
        plan=a_plan(
            test={"scenario": "SingleStream"},
            postprocess=(PlannedStep("python", "builtin-inline", {"source": source}),),
        )
    )
    (difference,) = differences(make("one"), make("two"))
    assert (difference.name, difference.b) == ("postprocess", [{"python": {"source": "two"}}])
