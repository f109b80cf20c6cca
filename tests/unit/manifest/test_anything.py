"""Whatever is in the file: a manifest or a ManifestError, nothing else, and nothing of it is run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlharness.errors import ManifestError
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.located import parse_located
from mlharness.manifest.provided import find_unprovided
from mlharness.manifest.reading import check_located, make_manifest, read_manifest
from mlharness.plugins import build_manager

OWN_METRIC: dict[str, Any] = {
    "python": "def score(responses, label, options):\n    return 1\n",
    "response": {"dtype": "float32", "shape": [None, 7]},
    "unit": "%",
    "higher_is_better": False,
}
VALID: dict[str, Any] = {
    "kind": "model",
    "name": "m",
    "version": "1.0",
    "description": "d",
    "references": ["https://example.org"],
    "framework": {"name": "onnxruntime", "version": ">=1.17", "options": {"a": 1}},
    "model": {"weights": "random", "files": ["a.onnx", {"source": "b.onnx", "sha256": "0" * 64}]},
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3, None]}],
    "outputs": [{"name": "y", "dtype": "int64", "shape": [None]}],
    "preprocess": ["a", {"b": {"c": 1}}, {"python": "def preprocess(ctx, data):\n    return data\n"}],
    "postprocess": [{"b": None}],
    "metric": {"name": "top1", "target": 1.5},
    "mlperf": {"model": "resnet50"},
    "bench": {"batch_size": 8},
    "requires": ["numpy>=1.23"],
    "attributes": {"x": [1, {"y": None}]},
}
OWN: dict[str, Any] = {**VALID, "metric": OWN_METRIC}
DATASET: dict[str, Any] = {"kind": "dataset", "name": "d", "version": "1", "provider": "p", "options": {"a": []}}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
_CALM = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True, scope="module")  # an audit hook cannot be taken off again
def _nothing_runs() -> Iterator[None]:
    """Anything executed from a manifest's text would be a call of exec with a code object of that name."""
    run: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "exec" and arguments and arguments[0].co_filename == "<manifest>":
            run.append(arguments[0].co_name)

    sys.addaudithook(watch)
    yield
    watching = False
    assert run == []


def outcome(text: str) -> ModelManifest | DataSetManifest | ManifestError:
    try:
        return make_manifest(parse_located(Path("m.yaml"), text, "0" * 64))
    except ManifestError as error:
        return error if error.message.startswith("m.yaml:") else pytest.fail(error.message)


@_CALM
@given(st.text())
@example("kind: model\nname: " + "a" * 5000)
@example("a: !!int _")
@example("a: !!float '.'")
@example("a: !!timestamp 2020-13-45")
@example('kind: model\npreprocess: [{python: "\\0"}]')
def test_any_text(text: str) -> None:
    assert outcome(text) is not None


@_CALM
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.yaml")
        path.write_bytes(raw)
        with pytest.raises(ManifestError):
            read_manifest(path)


@_CALM
@given(st.dictionaries(st.sampled_from([*VALID, "provider", "odd"]), values), st.sampled_from(["model", "dataset"]))
def test_any_mapping(data: dict[str, Any], kind: str) -> None:
    outcome(yaml.safe_dump({**data, "kind": kind}))


CATALOG = build_manager(allow=["builtin-sources", "builtin-tensor", "builtin-accuracy", "builtin-null"]).catalog


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield prefix
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*prefix, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    head, *rest = path
    if isinstance(value, dict):
        return {key: replaced(inner, tuple(rest), new) if key == head else inner for key, inner in value.items()}
    return [replaced(inner, tuple(rest), new) if index == head else inner for index, inner in enumerate(value)]


@_CALM
@given(st.sampled_from([(data, path) for data in (VALID, OWN, DATASET) for path in paths(data)]), values)
def test_a_valid_manifest_with_one_value_replaced(place: tuple[dict[str, Any], tuple[Any, ...]], new: Any) -> None:
    data, path = place
    text = yaml.safe_dump(replaced(data, path, new), sort_keys=False)
    try:
        located = parse_located(Path("m.yaml"), text, "0" * 64)
    except ManifestError:
        return
    lines = text.count("\n") + 1
    found = [*check_located(located), *find_unprovided(located, ManifestLibrary(CATALOG))]
    assert all(1 <= problem.line <= lines and str(problem).isprintable() for problem in found)
    assert bool(check_located(located)) == isinstance(outcome(text), ManifestError)


@_CALM
@given(st.integers(0, 10_000), st.text(max_size=3), st.integers(0, 5))
def test_a_valid_manifest_with_some_letters_replaced(at: int, new: str, length: int) -> None:
    text = yaml.safe_dump(VALID, sort_keys=False)
    at %= len(text)
    outcome(text[:at] + new + text[at + length :])


@_CALM
@given(st.sampled_from([VALID, DATASET]), st.booleans(), st.randoms(use_true_random=False))
def test_order_and_style_of_the_yaml_change_nothing(data: dict[str, Any], flow: bool, random: Any) -> None:
    shuffled = dict(random.sample(list(data.items()), len(data)))
    texts = [yaml.safe_dump(data), yaml.safe_dump(shuffled, sort_keys=False, default_flow_style=flow)]
    one, other = (outcome(text) for text in texts)
    assert not isinstance(one, ManifestError)
    assert not isinstance(other, ManifestError)
    assert without_lines(one) == without_lines(other)


def without_lines(manifest: ModelManifest | DataSetManifest) -> list[Any]:
    fields = {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}
    for stage in {"preprocess", "postprocess"} & set(fields):
        fields[stage] = [(step.name, step.parameters) for step in fields[stage]]
    return list(fields.items())


@_CALM
@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20) | st.integers(-99, 99), max_size=4))
def test_attributes_come_through_as_written(attributes: dict[str, Any]) -> None:
    manifest = outcome(yaml.safe_dump({**DATASET, "attributes": attributes}))
    assert isinstance(manifest, DataSetManifest)
    assert manifest.attributes == attributes
