"""From a file to a checked manifest. Nothing of the file is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlharness.errors import ManifestError
from mlharness.manifest.documents import (
    BenchDefaults,
    DataSetManifest,
    FrameworkWish,
    MetricWish,
    MlperfFacts,
    ModelFile,
    ModelManifest,
    Origin,
    Step,
)
from mlharness.manifest.located import Located, read_located
from mlharness.manifest.meaning import PYTHON, find_mistakes
from mlharness.manifest.problems import Problem
from mlharness.manifest.schema import find_problems
from mlharness.providers import TensorSpec


def read_manifest(path: Path, plugin: str | None = None) -> ModelManifest | DataSetManifest:
    """Read one manifest.

    Args:
        path: the file.
        plugin: the plugin that ships it; None for a user's own file, whose Python then needs trust.

    Raises:
        ManifestError: the file cannot be read, or does not follow its schema; every problem is listed.
    """
    located = read_located(path)
    return make_manifest(located, plugin)


def check_manifest(path: Path) -> list[Problem]:
    """Every problem of one manifest, sorted by line; empty when there is none.

    Raises:
        ManifestError: the file cannot be read at all, or is not plain YAML.
    """
    return check_located(read_located(path))


def check_located(located: Located) -> list[Problem]:
    """Every problem of a parsed file, sorted by line."""
    found = [*find_problems(located), *find_mistakes(located)]
    return sorted(found, key=lambda problem: (problem.line, problem.key))


def make_manifest(located: Located, plugin: str | None = None) -> ModelManifest | DataSetManifest:
    """A parsed file as a manifest. Raises ManifestError that lists every problem."""
    problems = check_located(located)
    if problems:
        remedy = "Correct the line." if len(problems) == 1 else f"Correct these {len(problems)} places."
        raise ManifestError("\n".join(str(problem) for problem in problems), remedy)
    origin = Origin(located.path, located.sha256, plugin)
    return make_model(located, origin) if located.data["kind"] == "model" else make_dataset(located.data, origin)


def make_model(located: Located, origin: Origin) -> ModelManifest:
    """The model of a file without problems."""
    data = located.data
    model = data.get("model", {})
    return ModelManifest(
        origin=origin,
        **_given(data, "name", "version", "description", "license", "modality", "dataset"),
        **_given(data, "allow_non_finite", "parallel", "attributes"),
        **_tuples(data, "references", "requires"),
        **_given(model, "weights"),
        framework=FrameworkWish(**data["framework"]),
        files=tuple(make_file(file) for file in model.get("files", ())),
        inputs=tuple(make_tensor(tensor) for tensor in data.get("inputs", ())),
        outputs=tuple(make_tensor(tensor) for tensor in data.get("outputs", ())),
        preprocess=make_steps(located, "preprocess"),
        postprocess=make_steps(located, "postprocess"),
        metric=MetricWish(**data["metric"]) if "metric" in data else None,
        mlperf=MlperfFacts(**_whole(data.get("mlperf", {}), "performance_sample_count")),
        bench=BenchDefaults(**_whole(data.get("bench", {}), *BenchDefaults.__dataclass_fields__)),
    )


def make_dataset(data: dict[str, Any], origin: Origin) -> DataSetManifest:
    """The data set of a file without problems."""
    return DataSetManifest(
        origin=origin,
        **_given(data, "name", "version", "provider", "description", "license", "options", "attributes"),
        **_tuples(data, "references", "requires"),
    )


def make_file(file: str | dict[str, str]) -> ModelFile:
    """A model file, from its source alone or from a mapping."""
    return ModelFile(file) if isinstance(file, str) else ModelFile(**file)


def make_tensor(tensor: dict[str, Any]) -> TensorSpec:
    """A tensor; names of axes and null become None."""
    shape = tuple(None if size is None or isinstance(size, str) else int(size) for size in tensor["shape"])
    return TensorSpec(tensor["name"], tensor["dtype"], shape)


def make_steps(located: Located, stage: str) -> tuple[Step, ...]:
    """The steps of ``preprocess`` or ``postprocess``, each with its line."""
    steps = []
    for index, step in enumerate(located.data.get(stage, ())):
        if isinstance(step, str):
            steps.append(Step(step, {}, located.line((stage, index))))
            continue
        [(name, parameters)] = step.items()
        key = (stage, index, name)
        if name == PYTHON:
            steps.append(Step(name, {"source": parameters}, located.place(key).text_line))
        else:
            steps.append(Step(name, parameters or {}, located.line(key)))
    return tuple(steps)


def _given(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """Those of the keys that the file has; the dataclass knows the defaults of the others."""
    return {name: data[name] for name in names if name in data}


def _tuples(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: tuple(value) for name, value in _given(data, *names).items()}


def _whole(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """The mapping with whole numbers as int: for a JSON schema, 1.0 is a whole number too."""
    return {name: int(value) if name in names else value for name, value in data.items()}
