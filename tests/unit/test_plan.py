"""The plan's hash: the same wherever it runs and whatever it is called, another for anything else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.plan import HostPart, PlannedStep, RunPlan
from tests.unit.runner.making import a_metric, a_plan

FULL = a_plan(metric=a_metric(target=90.0), postprocess=(PlannedStep("tensor.argmax", "builtin-tensor", {}),))
texts = st.text(max_size=8)
hosts = st.builds(
    HostPart,
    cores=st.lists(st.integers(0, 64), min_size=1).map(tuple),
    instances=st.integers(1, 64),
    threads=st.integers(1, 64),
    interpreter=texts,
    model_manifest=texts,
    dataset_manifest=texts,
    model_files=st.lists(texts).map(tuple),
    user_conf=texts,
    audit_conf=texts,
    blocked=st.lists(texts).map(tuple),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(hosts, st.dictionaries(texts, texts))
def test_host_and_labels_do_not_change_the_hash(host: HostPart, labels: dict[str, str]) -> None:
    assert replace(FULL, host=host, labels=labels).sha256 == FULL.sha256


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every field below a plan that holds no dataclass itself, the host's and the labels left out."""
    found: list[tuple[str, ...]] = []
    for entry in fields(value):
        inner = getattr(value, entry.name)
        if path or entry.name not in ("host", "labels"):
            found += leaves(inner, (*path, entry.name)) if is_dataclass(inner) else [(*path, entry.name)]
    return found


def changed(value: Any, path: tuple[str, ...]) -> Any:
    """The same dataclass with one field below it changed."""
    inner = getattr(value, path[0])
    return replace(value, **{path[0]: changed(inner, path[1:]) if len(path) > 1 else other(inner)})


def other(value: Any) -> Any:
    """Another value that is as like the first as can be."""
    if isinstance(value, bool):
        return not value
    if value is None:
        return 1
    if isinstance(value, tuple):
        return value[:-1] if value else (PlannedStep("tensor.cast", "builtin-tensor", {}),)
    if isinstance(value, dict):
        return {**value, "new": 1}
    return value + (" " if isinstance(value, str) else 1)


@pytest.mark.parametrize("path", leaves(FULL), ids=".".join)
def test_every_other_field_changes_the_hash(path: tuple[str, ...]) -> None:
    assert changed(FULL, path).sha256 != FULL.sha256


def test_the_leaves_are_really_all() -> None:
    assert {path[0] for path in leaves(FULL)} == {entry.name for entry in fields(RunPlan)} - {"host", "labels"}
    assert ("test", "user_conf") in leaves(FULL)
    assert ("metric", "response", "dtype") in leaves(FULL)


def test_a_changed_item_deep_in_a_tuple_or_mapping_changes_the_hash() -> None:
    step = PlannedStep("python", "builtin-inline", {"source": "def preprocess(ctx, data): return data", "line": 3})
    moved = replace(step, parameters={**step.parameters, "line": 4})
    assert replace(FULL, preprocess=(step,)).sha256 != replace(FULL, preprocess=(moved,)).sha256
    assert replace(FULL, preprocess=(step, moved)).sha256 != replace(FULL, preprocess=(moved, step)).sha256


@given(st.dictionaries(texts, json_values, min_size=2))
def test_the_order_of_keys_does_not_matter(options: dict[str, Any]) -> None:
    backwards = dict(reversed(options.items()))
    assert a_plan(framework={"options": options}).sha256 == a_plan(framework={"options": backwards}).sha256


@given(st.dictionaries(texts, json_values))
def test_a_plan_that_went_through_json_is_the_same_plan(options: dict[str, Any]) -> None:
    plan = replace(a_plan(framework={"options": options}), metric=a_metric(shape=(None, 7)))
    read = msgspec.json.decode(msgspec.json.encode(plan), type=RunPlan)
    assert read.sha256 == plan.sha256
    assert json.dumps(read.document()) == json.dumps(plan.document())


def test_the_hash_is_that_of_canonical_json() -> None:
    """Anyone can compute it: keys sorted, no spaces, UTF-8, without the host's part, the labels and the hash."""
    document = json.loads(json.dumps(a_plan(model={"name": "größe"}).document()))
    for left_out in ("schema_version", "plan_sha256", "host", "labels"):
        del document[left_out]
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == a_plan(model={"name": "größe"}).sha256


def test_the_document_carries_hash_and_version_and_is_plain_json() -> None:
    document = json.loads(json.dumps(FULL.document(), allow_nan=False))
    assert document["plan_sha256"] == FULL.sha256
    assert document["schema_version"] == 1
    assert document["host"]["cores"] == [0, 1]


def test_with_test_changes_only_the_test() -> None:
    changed_plan = FULL.with_test(target_qps=7.0)
    assert changed_plan.test.target_qps == 7.0
    assert replace(changed_plan, test=FULL.test) == FULL
