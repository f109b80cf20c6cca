"""result.json: documents of every status follow the shipped schema, which lets nothing else pass."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlharness.bench import now
from mlharness.plan import MODES, RULES, SCENARIOS
from mlharness.resources import resource_folder
from mlharness.result import Findings, make_result
from mlharness.system import describe_system
from tests.unit.runner.making import a_metric, a_plan
from tests.unit.runner.measurements import a_measured

RUN = Path("20260101T000000Z-tiny-Offline-abcdef")
SCORE = {"value": 91.5, "unit": "%", "n": 200, "interval": [87.0, 95.0], "details": {"top5": 97.5}}
DONE = a_measured(RUN)
BAD = a_measured(RUN, errors=("bad id",), result_validity="INVALID", result_min_queries_met=False)
TRIAL = {"purpose": "trial", "target_qps": 3.5, "queries": 18, "valid": False, "p99_latency_ns": None}
FINDINGS: dict[str, dict[str, Any]] = {
    "valid": {"performance": DONE, "null_floor_us": 3.5, "trials": [TRIAL]},
    "valid accuracy": {"accuracy": DONE, "score": SCORE},
    "valid without interval": {"accuracy": DONE, "score": {**SCORE, "interval": None}},
    "valid both": {"performance": DONE, "accuracy": DONE, "score": SCORE, "warnings": ["mind"]},
    "invalid": {"performance": BAD},
    "failed": {"failure": "the runner was killed"},
    "failed late": {"performance": DONE, "failure": "the runner was killed"},
    "interrupted": {"interrupted": True},
    "interrupted late": {"performance": DONE, "interrupted": True, "null_floor_us": 3.5},
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((resource_folder("schemas") / "result.v1.schema.json").read_text("utf-8"))
    return loaded


def document(findings: dict[str, Any], **test: Any) -> dict[str, Any]:
    """As it stands in result.json."""
    plan = a_plan(metric=a_metric(target=90.0), labels={"who": "ci"}, test=test)
    made = make_result(plan, RUN, Findings(**findings), describe_system(), now(), now())
    read: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    return read


def check(schema: dict[str, Any], found: dict[str, Any]) -> None:
    checker = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(found)


def test_the_schema_is_valid_draft_2020_12(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith("/result.v1.schema.json")


@pytest.mark.parametrize("name", FINDINGS)
@pytest.mark.parametrize("rules", RULES)
def test_every_status_follows_the_schema(schema: dict[str, Any], name: str, rules: str) -> None:
    found = document(FINDINGS[name], rules=rules)
    check(schema, found)
    assert found["status"] == name.partition(" ")[0]


@pytest.mark.parametrize("scenario", [scenario for scenario in SCENARIOS if scenario != "MultiStream"])
@pytest.mark.parametrize("mode", MODES)
def test_every_scenario_and_mode_follows_the_schema(schema: dict[str, Any], scenario: str, mode: str) -> None:
    found = document(FINDINGS["valid both"], scenario=scenario, mode=mode)
    check(schema, found)
    assert (found["scenario"], found["mode"]) == (scenario, mode)


def test_a_result_before_the_host_was_described(schema: dict[str, Any]) -> None:
    check(schema, make_result(a_plan(), RUN, Findings(interrupted=True), {}, now(), now()))


def test_every_key_is_required_and_no_other_is_allowed(schema: dict[str, Any]) -> None:
    found = document(FINDINGS["valid both"])
    assert list(found) == list(schema["properties"]), "the order in which people read it"
    assert set(found) == set(schema["required"])
    for key in found:
        with pytest.raises(jsonschema.ValidationError):
            check(schema, {name: value for name, value in found.items() if name != key})
    with pytest.raises(jsonschema.ValidationError):
        check(schema, {**found, "surprise": 1})


def objects(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema that describes an object with known keys."""
    if "properties" in node:
        yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from objects(inner, f"{path}.{name}")
    for inner in [node["items"]] if isinstance(node.get("items"), dict) else []:
        yield from objects(inner, f"{path}[]")


def test_known_keys_are_all_that_there_are(schema: dict[str, Any]) -> None:
    open_ = {path for path, node in objects(schema) if node.get("additionalProperties") is not False}
    assert open_ == {".system"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("status",), "ok"), (("rules",), "closed"), (("plan_sha256",), "abc"), (("metric", "unit"), "ms"),
        (("metric", "value"), "12"), (("framework", "instances"), 0),
        (("accuracy", "interval"), [1.0]), (("latency_ns", "p99"), None), (("labels",), {"n": 1}),
        (("schema_version",), 2), (("calibration", "trials"), [{"purpose": "trial"}]),
    ],
)  # fmt: skip
def test_wrong_values_do_not_pass(schema: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    found = copy.deepcopy(document(FINDINGS["valid both"]))
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        check(schema, found)
