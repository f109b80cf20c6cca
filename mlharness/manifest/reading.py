"""From a file to a checked manifest. Nothing of the file is executed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mlharness.errors import ManifestError, did_you_mean
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
from mlharness.manifest.located import KeyPath, Located
from mlharness.manifest.meaning import PYTHON, find_mistakes
from mlharness.manifest.part import Part, parts
from mlharness.manifest.problems import Problem
from mlharness.manifest.published.upgrade import read_upgraded
from mlharness.manifest.schema import find_problems
from mlharness.providers import ResponseSpec, TensorSpec


def read_manifest(path: Path, plugin: str | None = None, member: str | None = None) -> ModelManifest | DataSetManifest:
    """Read one manifest.

    Args:
        path: the file.
        plugin: the plugin that ships it; None for a user's own file, whose Python then needs trust.
        member: which model of a file that holds a family of them.

    Raises:
        ManifestError: the file cannot be read, or does not follow its schema; every problem is listed.
    """
    located = read_upgraded(path)
    return make_manifest(located, plugin, member)


def check_manifest(path: Path) -> list[Problem]:
    """Every problem of one manifest, sorted by line; empty when there is none.

    Raises:
        ManifestError: the file cannot be read at all, or is not plain YAML.
    """
    return check_located(read_upgraded(path))


def check_located(located: Located) -> list[Problem]:
    """Every problem of a parsed file, sorted by line."""
    if located.problems:
        return list(located.problems)
    found = [*find_problems(located), *find_mistakes(located)]
    return sorted(found, key=lambda problem: (problem.line, problem.key))


def make_manifest(
    located: Located, plugin: str | None = None, member: str | None = None
) -> ModelManifest | DataSetManifest:
    """A parsed file as a manifest. Raises ManifestError that lists every problem, or says which members there are."""
    problems = check_located(located)
    if problems:
        remedy = "Correct the line." if len(problems) == 1 else f"Correct these {len(problems)} places."
        raise ManifestError("\n".join(str(problem) for problem in problems), remedy)
    origin = Origin(located.path, located.sha256, plugin)
    check_member(located, member)
    if located.data["kind"] == "dataset":
        return make_dataset(located, origin)
    first, *others = (make_model(part, origin, member) for part in parts(located))
    return replace(first, alternatives=tuple(others))


def check_member(located: Located, member: str | None) -> None:
    """Raise ManifestError when a family's member is not named, or one is named that is not there."""
    members = located.data.get("members", [])
    if member is None and members:
        raise ManifestError(
            f"{located.path} holds the models {', '.join(members)}", f"Name one: {located.path}#{members[0]}"
        )
    if member is not None and member not in members:
        raise ManifestError(f"{located.path} has no member {member!r}", did_you_mean(member, members))


def make_model(part: Part, origin: Origin, member: str | None = None) -> ModelManifest:
    """The model of a file without problems, for one of its frameworks."""
    data = part.data
    model = data.get("model", {})
    return ModelManifest(
        origin=origin,
        **_given(data, "name", "version", "description", "license", "modality", "dataset")
        | ({"name": member} if member is not None else {}),
        **_given(data, "allow_non_finite", "parallel", "attributes"),
        **_tuples(data, "references", "requires"),
        **_given(model, "weights"),
        framework=FrameworkWish(**data["framework"]),
        files=tuple(make_file(file, member or "") for file in model.get("files", ())),
        inputs=tuple(make_tensor(tensor) for tensor in data.get("inputs", ())),
        outputs=tuple(make_tensor(tensor) for tensor in data.get("outputs", ())),
        preprocess=make_steps(part, "preprocess"),
        postprocess=make_steps(part, "postprocess"),
        metric=make_metric(data["metric"], part.located) if "metric" in data else None,
        mlperf=MlperfFacts(**_whole(data.get("mlperf", {}), "performance_sample_count")),
        bench=BenchDefaults(**_whole(data.get("bench", {}), *BenchDefaults.__dataclass_fields__)),
        overrides=None if part.framework is None else tuple(part.own),
    )


def make_metric(written: dict[str, Any], located: Located) -> MetricWish:
    """The metric: a plugin's by its name, or Python of the manifest, which says what a response is."""
    if PYTHON not in written:
        return MetricWish(**written)
    response = written["response"]
    shape = tuple(None if size is None else int(size) for size in response["shape"])
    own = {
        "name": PYTHON,
        "python": make_python(written[PYTHON], located, ("metric", PYTHON)),
        "response": ResponseSpec(response["dtype"], shape),
    }
    return MetricWish(**{**written, **own})


def make_dataset(located: Located, origin: Origin) -> DataSetManifest:
    """The data set of a file without problems."""
    data = located.data
    found = DataSetManifest(
        origin=origin,
        **_given(data, "name", "version", "provider", "description", "license", "options", "attributes"),
        **_tuples(data, "references", "requires"),
    )
    if not found.inline:
        return found
    return replace(found, lines={name: located.place(("options", name)).text_line for name in found.options})


def make_file(file: str | dict[str, str], member: str) -> ModelFile:
    """A model file, from its source alone or from a mapping; ``{member}`` in its source is the member's name."""
    wish = ModelFile(file) if isinstance(file, str) else ModelFile(**file)
    return replace(wish, source=wish.source.replace("{member}", member)) if member else wish


def make_tensor(tensor: dict[str, Any]) -> TensorSpec:
    """A tensor; names of axes and null become None, a dtype or shape that is not given is empty."""
    shape = tuple(None if size is None or isinstance(size, str) else int(size) for size in tensor.get("shape", ()))
    return TensorSpec(tensor["name"], tensor.get("dtype", ""), shape)


def make_steps(part: Part, stage: str) -> tuple[Step, ...]:
    """The steps of ``preprocess`` or ``postprocess``, each with its line."""
    steps, located = [], part.located
    for index, step in enumerate(part.data.get(stage, ())):
        place = (*part.path(stage), index)
        if isinstance(step, str):
            steps.append(Step(step, {}, located.line(place)))
            continue
        [(name, parameters)] = step.items()
        if name == PYTHON:
            steps.append(make_python(parameters, located, (*place, name)))
        else:
            steps.append(Step(name, parameters or {}, located.line((*place, name))))
    return tuple(steps)


def make_python(written: str | dict[str, str], located: Located, key: KeyPath) -> Step:
    """The step python, from its source alone or from a mapping; its line is the one on which the source begins."""
    if isinstance(written, str):
        return Step(PYTHON, {"source": written}, located.place(key).text_line)
    return Step(PYTHON, written, located.place((*key, "source")).text_line)


def _given(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """Those of the keys that the file has; the dataclass knows the defaults of the others."""
    return {name: data[name] for name in names if name in data}


def _tuples(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: tuple(value) for name, value in _given(data, *names).items()}


def _whole(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """The mapping with whole numbers as int: for a JSON schema, 1.0 is a whole number too."""
    return {name: int(value) if name in names else value for name, value in data.items()}
