"""The draft of a model's manifest: what the model's file says of itself, and data with which it was seen to run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mlharness.choices import Choices
from mlharness.errors import MlharnessError, UserError, did_you_mean
from mlharness.inspecting import inspect_model
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.located import parse_located
from mlharness.manifest.reading import make_manifest
from mlharness.paths import runs_dir
from mlharness.plugins import Plugins
from mlharness.providers import TensorSpec
from mlharness.request import Request, find_dataset
from mlharness.supervise import Watch
from mlharness.verifying import answer

WIDTH = 110
"""Columns of the YAML that is written."""


@dataclass(frozen=True)
class Wanted:
    """What the author said.

    Args:
        files: the model's files, as the manifest will name them.
        framework: a framework's name.
        name: the model's name.
        target: the manifest that will be written.
        weights: ``trained`` or ``random``.
        dataset: a data set's name or path; None for random numbers.
        like: a model whose data set, processing and metric are taken over.
        shapes: sizes of an input's axes without the batch axis, for inputs with free axes.
    """

    files: tuple[str, ...]
    framework: str
    name: str
    target: Path
    weights: str = "trained"
    dataset: str | None = None
    like: str | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """The manifest of a model, and of a data set beside it when there is one, as YAML's data."""

    model: Mapping[str, Any]
    dataset: Mapping[str, Any] | None = None

    def texts(self, target: Path) -> dict[Path, str]:
        """The files to write, and their text."""
        written = {target: to_yaml(self.model)}
        return written | ({dataset_path(target): to_yaml(self.dataset)} if self.dataset else {})


@dataclass(frozen=True)
class Author:
    """Drafts manifests with the plugins that are there."""

    plugins: Plugins
    watch: Watch
    blocked: tuple[str, ...] = ()

    def inspect(self, wanted: Wanted) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """Inputs and outputs of the model, which is loaded once. Raises UserError when it cannot be."""
        found = inspect_model(self._request(Draft(identity(wanted)), wanted), self.watch)
        return to_specs(found["inputs"]), to_specs(found["outputs"])

    def draft(self, wanted: Wanted, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Draft:
        """The first of the possible manifests with which the model answers a sample.

        Raises:
            MlharnessError: none runs; the message is that of the last.
        """
        failure: MlharnessError | None = None
        for draft in self.candidates(wanted, inputs, outputs):
            try:
                answer(self._request(draft, wanted), 1, self.watch)
            except MlharnessError as error:
                failure = error
            else:
                return draft
        assert failure is not None, "there is a candidate"
        raise failure

    def candidates(
        self, wanted: Wanted, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Iterator[Draft]:
        """Manifests that may run, the simplest first."""
        model = {**identity(wanted), "inputs": to_tensors(inputs), "outputs": to_tensors(outputs)}
        if wanted.like is not None:
            taken = taken_over(ManifestLibrary(self.plugins.catalog).model(wanted.like))
            yield Draft({**model, **taken, **({"dataset": wanted.dataset} if wanted.dataset else {})})
        elif wanted.dataset is None:
            data = f"{wanted.name}-data"
            yield Draft(
                {**model, "dataset": f"./{dataset_path(wanted.target).name}"}, random_data(data, wanted, inputs)
            )
        else:
            of_class = {"postprocess": ["tensor.argmax"], "metric": {"name": "top1"}} if is_class(outputs) else {}
            for steps in fitting_steps(inputs[0]):
                yield Draft({**model, "dataset": wanted.dataset, **steps, **of_class})

    def similar(self, inputs: Sequence[TensorSpec], framework: str) -> list[str]:
        """Shipped models whose inputs have the same dtypes and shapes, those for the framework first."""
        library = ManifestLibrary(self.plugins.catalog)
        found = []
        for listing in library.models():
            if listing.error or not listing.name:
                continue
            model = library.model(listing.name)
            same = next(
                (one for one in (model, *model.alternatives) if signature(one.inputs) == signature(inputs)), None
            )
            if same is not None and same.preprocess and same.dataset:
                found.append((same.framework.name != framework, same.weights != "trained", listing.name))
        return [name for _, _, name in sorted(found)]

    def _request(self, draft: Draft, wanted: Wanted) -> Request:
        """A request for a manifest that is not written yet."""
        model = parse(draft.model, wanted.target)
        assert isinstance(model, ModelManifest), "its kind says so"
        library = ManifestLibrary(self.plugins.catalog)
        if draft.dataset is not None:
            dataset = parse(draft.dataset, dataset_path(wanted.target))
            assert isinstance(dataset, DataSetManifest), "its kind says so"
        else:
            dataset = find_dataset(model, None if model.dataset else "null", library)
        return Request(model, dataset, Choices(), self.plugins, runs_dir(), self.blocked)


def identity(wanted: Wanted) -> dict[str, Any]:
    """What a manifest begins with."""
    return {
        "kind": "model",
        "name": wanted.name,
        "version": "1.0",
        "framework": {"name": wanted.framework},
        "model": {"weights": wanted.weights, "files": list(wanted.files)},
    }


def taken_over(model: ModelManifest) -> dict[str, Any]:
    """Data set, processing and metric of a model, without its target: another model's accuracy is its own.

    Raises:
        UserError: its processing is Python, which belongs to its author.
    """
    if model.inline:
        raise UserError(f"{model.name} has Python of its own", "Take another model with --like, or none.")
    steps = {
        stage: [{step.name: dict(step.parameters)} if step.parameters else step.name for step in getattr(model, stage)]
        for stage in ("preprocess", "postprocess")
    }
    metric: dict[str, Any] = {"name": model.metric.name} if model.metric else {}
    if model.metric and model.metric.options:
        metric["options"] = dict(model.metric.options)
    found = {"dataset": model.dataset, **steps, "metric": metric, "modality": model.modality}
    return {key: value for key, value in found.items() if value}


def random_data(name: str, wanted: Wanted, inputs: Sequence[TensorSpec]) -> dict[str, Any]:
    """The manifest of a data set of random numbers that fit the inputs."""
    arrays = [{"shape": list(sample_shape(spec, wanted.shapes)), "dtype": spec.dtype} for spec in inputs]
    return {
        "kind": "dataset",
        "name": name,
        "version": "1.0",
        "description": "Random numbers: good for timing, and for nothing else.",
        "provider": "random",
        "options": {"arrays": arrays},
    }


def sample_shape(spec: TensorSpec, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Sizes of one sample's axes: as wanted, else 1 for each free axis. Raises UserError for sizes that do not fit."""
    own = spec.shape[1:]
    given = shapes.get(spec.name, tuple(size or 1 for size in own))
    if len(given) != len(own) or any(size not in (None, chosen) for size, chosen in zip(own, given, strict=True)):
        raise UserError(
            f"--shape {spec.name}={','.join(map(str, given))}: the model has {[size or 'free' for size in own]}",
            "Give one size for each axis but the batch's.",
        )
    return given


def check_shapes(shapes: Mapping[str, tuple[int, ...]], inputs: Sequence[TensorSpec]) -> None:
    """Raise UserError when a shape is given for an input that the model has not."""
    names = [spec.name for spec in inputs]
    for name in shapes:
        if name not in names:
            raise UserError(f"--shape {name}=...: the model has no such input", did_you_mean(name, names))


def fitting_steps(spec: TensorSpec) -> Iterator[dict[str, Any]]:
    """Preprocessing that makes an input of an array: none, another shape, another dtype and shape."""
    shape = {"tensor.reshape": {"shape": [-1 if size is None else size for size in spec.shape[1:]]}}
    yield {}
    yield {"preprocess": [shape]}
    yield {"preprocess": [{"tensor.cast": {"dtype": spec.dtype}}, shape]}


def is_class(outputs: Sequence[TensorSpec]) -> bool:
    """True when the first output looks like scores of classes: numbers [batch, at least two]."""
    first = outputs[0]
    return first.dtype.startswith("float") and len(first.shape) == 2 and (first.shape[1] or 0) > 1


def signature(tensors: Sequence[TensorSpec]) -> list[tuple[str, tuple[int | None, ...]]]:
    """Dtypes, and shapes without the batch axis."""
    return [(spec.dtype, spec.shape[1:]) for spec in tensors]


def to_specs(described: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    """Tensors as a runner describes them."""
    return tuple(TensorSpec(one["name"], one["dtype"], tuple(one["shape"])) for one in described)


def to_tensors(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    """Tensors as a manifest has them; a free first axis is called batch."""
    return [
        {
            "name": spec.name,
            "dtype": spec.dtype,
            "shape": ["batch" if not axis and size is None else size for axis, size in enumerate(spec.shape)],
        }
        for spec in specs
    ]


def to_yaml(document: Mapping[str, Any] | None) -> str:
    """A manifest's text: one key a line, what is small on one line."""
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=WIDTH, allow_unicode=True)


def parse(document: Mapping[str, Any], path: Path) -> ModelManifest | DataSetManifest:
    """A document as the manifest that its text at ``path`` would be."""
    text = to_yaml(document)
    return make_manifest(parse_located(path, text, hashlib.sha256(text.encode()).hexdigest()))


def dataset_path(target: Path) -> Path:
    """Where the data set of a model's manifest is written: beside it."""
    return target.with_name(f"{target.stem}-data.yaml")


def name_from(file: str) -> str:
    """A model's name from that of its file. Raises UserError when nothing of it can be used."""
    stem = file.rstrip("/").rpartition("/")[2].partition("?")[0].partition(".")[0]
    name = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")
    if not name:
        raise UserError(f"{file!r} gives the model no name", "Name it: --name NAME.")
    return name


def find_frameworks(files: Sequence[str], plugins: Plugins) -> list[str]:
    """The frameworks that say they run files of such a name; a zoo's own framework for its files."""
    first = files[0].lower()
    scheme = first.partition("://")[0] if "://" in first else ""
    zoos = [entry.provider.framework for entry in plugins.catalog.sources if entry.name == scheme]
    if zoos and zoos[0]:
        return zoos
    return [entry.name for entry in plugins.catalog.frameworks if first.endswith(entry.provider.endings or ("\0",))]
