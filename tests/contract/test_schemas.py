"""The manifests' schemas are valid, documented, and say the same as the dataclasses; what is shipped follows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from mlharness.manifest import documents
from mlharness.manifest.documents import (
    BenchDefaults,
    DataSetManifest,
    FrameworkWish,
    MetricWish,
    MlperfFacts,
    ModelFile,
    ModelManifest,
)
from mlharness.manifest.located import read_located
from mlharness.manifest.reading import check_manifest, read_manifest
from mlharness.providers import TensorSpec
from mlharness.resources import resource_folder

KINDS = ("model", "dataset")
SCHEMAS = (*KINDS, "published-model", "published-dataset", "sweep", "summary", "bundle")


def schema(kind: str) -> dict[str, Any]:
    loaded = json.loads((resource_folder("schemas") / f"{kind}.v1.schema.json").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def names(dataclass: type) -> set[str]:
    return {entry.name for entry in fields(dataclass)}


def subschemas(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part that says what a value may be; references are their targets' business."""
    if "$ref" in node:
        return
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from subschemas(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(node.get(name), dict):
            yield from subschemas(node[name], f"{path}[{name}]")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_valid_draft_2020_12(kind: str) -> None:
    loaded = schema(kind)
    Draft202012Validator.check_schema(loaded)
    assert loaded["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert loaded["$id"].endswith(f"/{kind}.v1.schema.json")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_is_documented_and_closed(kind: str) -> None:
    known = set(Draft202012Validator.VALIDATORS) | {"$schema", "$id", "title", "description", "default", "examples"}
    for path, node in subschemas(schema(kind)):
        assert set(node) <= known, f"{path}: a misspelt keyword would be ignored"
        assert node["title"], path
        assert node["description"].endswith("."), path
        if "properties" in node and not isinstance(node["additionalProperties"], dict):
            assert node["additionalProperties"] is False, path


@pytest.mark.parametrize("kind", SCHEMAS)
def test_examples_follow_the_schema(kind: str) -> None:
    loaded = schema(kind)
    for path, node in subschemas(loaded):
        for example in node.get("examples", ()):
            # evolve: references inside the part count from the whole schema
            assert Draft202012Validator(loaded).evolve(schema=node).is_valid(example), path


def test_the_keys_of_a_model_are_those_of_the_dataclasses() -> None:
    properties = schema("model")["properties"]
    of_model = set(properties["model"]["properties"])
    assert of_model == {"weights", "files"}
    made = {"origin", "overrides", "alternatives"}
    assert set(properties) - {"kind", "model", "members", "frameworks"} == names(ModelManifest) - made - of_model
    pairs = (("framework", FrameworkWish), ("metric", MetricWish), ("mlperf", MlperfFacts), ("bench", BenchDefaults))
    for key, dataclass in pairs:
        assert set(properties[key]["properties"]) == names(dataclass), key
    alternative = set(properties["frameworks"]["additionalProperties"]["properties"])
    assert alternative == (names(FrameworkWish) - {"name"}) | (alternative & set(properties))
    assert set(properties["inputs"]["items"]["properties"]) == names(TensorSpec)
    assert set(properties["model"]["properties"]["files"]["items"]["properties"]) == names(ModelFile)


def test_the_keys_of_a_data_set_are_those_of_the_dataclass() -> None:
    assert set(schema("dataset")["properties"]) - {"kind"} == names(DataSetManifest) - {"origin", "lines"}


def test_every_dataclass_of_the_documents_is_covered() -> None:
    found = {name for name, value in vars(documents).items() if getattr(value, "__module__", "") == documents.__name__}
    assert found == {
        "BenchDefaults", "DataSetManifest", "FrameworkWish", "MetricWish", "MlperfFacts", "ModelFile",
        "ModelManifest", "Origin", "Step",
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "dataclass"), [("model", ModelManifest), ("dataset", DataSetManifest)])
def test_required_keys_are_the_fields_without_default(kind: str, dataclass: type) -> None:
    required = [entry.name for entry in fields(dataclass) if is_required(entry)]
    assert set(schema(kind)["required"]) - {"kind"} == set(required) - {"origin"}


def is_required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def test_choices_and_defaults_are_those_of_the_dataclass() -> None:
    properties = schema("model")["properties"]
    weights = properties["model"]["properties"]["weights"]
    assert tuple(weights["enum"]) == get_args(get_type_hints(ModelManifest)["weights"])
    defaults = {entry.name: entry.default for entry in fields(ModelManifest)}
    assert weights["default"] == defaults["weights"]
    assert properties["allow_non_finite"]["default"] == defaults["allow_non_finite"]


def test_element_types_are_names_that_numpy_knows() -> None:
    dtypes = schema("model")["properties"]["inputs"]["items"]["properties"]["dtype"]["enum"]
    assert [np.dtype(name).name for name in dtypes] == dtypes
    assert len(set(dtypes)) == len(dtypes)


@pytest.mark.parametrize(("folder", "kind"), [("models", ModelManifest), ("datasets", DataSetManifest)])
def test_every_shipped_manifest_is_right(folder: str, kind: type) -> None:
    shipped = sorted((resource_folder("manifests") / folder).glob("*.yaml"))
    assert shipped
    for path in shipped:
        assert [str(problem) for problem in check_manifest(path)] == []
        located = read_located(path)
        assert located.data["name"] == Path(path).stem, "the file's name is the manifest's"
        for member in located.data.get("members", [None]):
            manifest = read_manifest(path, "builtin-manifests", member)
            assert isinstance(manifest, kind)
