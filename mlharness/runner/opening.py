"""Opens what a plan names: its data set and its model. Used by every verb that needs them."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from packaging.specifiers import SpecifierSet

from mlharness.errors import PLUGIN_RAISES, MlharnessError, RunError, UserError
from mlharness.manifest.files import resolve
from mlharness.manifest.located import KeyPath
from mlharness.manifest.place import find_text, place
from mlharness.plan import RunPlan
from mlharness.plugins import Plugins
from mlharness.providers import DataSet, FrameworkProvider, Model, Predictor, TensorSpec, Tracer
from mlharness.runner.paths import Paths
from mlharness.runner.pipeline import opens_samples
from mlharness.tensors import described, own_names

Label: TypeAlias = Callable[[int], Any]


def open_dataset(
    plan: RunPlan,
    plugins: Plugins,
    namespace: types.ModuleType | None = None,
    located: dict[str, str] | None = None,
) -> DataSet:
    """The plan's data set, opened and its files checked.

    Args:
        plan: names it.
        plugins: provide it.
        namespace: the module that the Python of the plan's manifests shares; None when no other Python will run.
        located: gets the local path of every source that the data set asked for.

    Raises:
        UserError: there is nothing in it, or something of it cannot be used; the message begins with the place in the
            data set's manifest.
    """
    provider = plugins.catalog.datasets.find(plan.dataset.provider).provider
    open_it: Callable[..., DataSet] = provider.open
    inside = inside_of(plan, namespace) if provider.name == "python" else {}
    manifest = Path(plan.host.dataset_manifest)
    asked = {} if located is None else located

    def locate(source: str) -> Path:
        asked[source] = source  # before it is found, for the message that says that it is not
        found = resolve(source, manifest.parent, None, plugins.catalog)
        if found is None:
            raise UserError(f"data set {plan.dataset.name!r}: {source} has not been fetched", "Run mlh bench again.")
        asked[source] = str(found)
        return found

    try:
        with blaming(plan.dataset.plugin, f"opening the data set {plan.dataset.name!r}"):
            dataset = open_it(plan.dataset.options, plan.dataset.count, locate, **inside)
            count = len(dataset)
            dataset.check()
        check_count(count, plan.dataset.name)
    except UserError as error:
        if error.message.startswith(f"{manifest}:"):  # Python of the manifest has its own line
            raise
        key = blamed_key(error.message, manifest, plan.dataset.options, asked)
        raise type(error)(f"{place(manifest, *key)}: {error.message}", error.remedy) from error
    if namespace is not None and opens_samples(plan):
        namespace.__dict__.setdefault("dataset", Paths(dataset, plan.dataset.name))
    return dataset


def inside_of(plan: RunPlan, namespace: types.ModuleType | None) -> dict[str, Any]:
    """What a data set that is Python of its manifest is told beside its options."""
    return {"namespace": namespace, "filename": plan.host.dataset_manifest, "lines": plan.dataset.lines}


def labels_of(dataset: DataSet, plan: RunPlan) -> Label:
    """The data set's labels by index. One that is not there raises UserError that says so, whatever the metric."""

    def label(index: int) -> Any:
        try:
            return dataset.label(index)
        except LookupError as error:
            raise UserError(
                f"{plan.host.dataset_manifest}: the data set {plan.dataset.name!r} has {len(dataset)} samples, "
                f"and no label for sample {index}",
                "Give every sample a label, or none (null).",
            ) from error

    return label


def check_count(count: int, name: str) -> None:
    """Raise UserError for a data set without samples."""
    if not count:
        raise UserError(f"data set {name!r} has no samples", "Check its manifest, and --count.")


def blamed_key(message: str, manifest: Path, options: Mapping[str, Any], asked: Mapping[str, str]) -> KeyPath:
    """The key in a data set's manifest that an error is about, as far as its words tell; else that of all options.

    ``asked`` has the sources that were located so far, and the file of each.
    """
    for source in sorted(asked, key=len, reverse=True):
        named = any(name in message for name in (repr(source), f" {source} ", asked[source]))
        if named and (key := find_text(manifest, source)):
            return key
    for name in options:
        if found := re.search(rf"\b{re.escape(name)}(?:\[(\d+)\]| (?:is|has)\b)", message):
            return ("options", name, *([int(found[1])] if found[1] else []))
    return ("options",)


@contextmanager
def blaming(plugin: str, what: str) -> Iterator[None]:
    """What a plugin's code raises is the plugin's failure, and so named; what it says to users passes as it is."""
    try:
        yield
    except MlharnessError:
        raise
    except PLUGIN_RAISES as error:
        raise RunError(
            f"{plugin}: {what} failed: {type(error).__name__}: {error}", "The run directory's runner.log has the trace."
        ) from error


def load_predictor(framework: FrameworkProvider, plan: RunPlan, trace: Tracer | None = None) -> Predictor:
    """One predictor for a plan, watched by the framework's own tracer if there is one.

    Raises:
        UserError: the installed framework, or the model, is not what the plan asks for.
    """
    with blaming(plan.framework.plugin, f"asking {framework.name} for its version"):
        check_version(framework, plan.framework.version)
    model = Model(
        plan.model.name,
        tuple(Path(path) for path in plan.host.model_files),
        plan.model.inputs,
        plan.model.outputs,
        plan.model.attributes,
    )
    options = dict(plan.framework.options)
    if framework.threads and options.get(framework.threads) is None:
        options[framework.threads] = plan.host.threads
    with blaming(plan.framework.plugin, f"loading {plan.model.name}"):
        predictor = framework.load(model, plan.framework.device, options, trace)
    check_tensors("inputs", predictor.inputs, binding_inputs(plan), plan.model.name)
    check_tensors("outputs", predictor.outputs, plan.model.outputs, plan.model.name)
    return predictor


def binding_inputs(plan: RunPlan) -> tuple[TensorSpec, ...]:
    """The declared inputs that must hold. The published manifests' shapes are descriptions, and some are wrong."""
    if not opens_samples(plan):
        return plan.model.inputs
    return tuple(replace(spec, shape=()) for spec in plan.model.inputs)


def check_version(framework: FrameworkProvider, wished: str) -> None:
    """Raise UserError when the framework is not installed, or not in the range that binds."""
    requirement = f"{framework.requirement or framework.name}{wished}"
    try:
        installed = framework.version()
    except ImportError as error:
        raise UserError(f"{framework.name} cannot be imported: {error}", f"Run: pip install '{requirement}'") from error
    if wished and not SpecifierSet(wished).contains(installed, prereleases=True):
        raise UserError(
            f"{framework.name} {installed} is installed, and {wished} is asked for", f"Run: pip install '{requirement}'"
        )


def check_tensors(kind: str, found: Sequence[TensorSpec], declared: Sequence[TensorSpec], model: str) -> None:
    """Raise UserError unless the loaded model has what the manifest declares, by name, dtype and shape, and no more.

    A manifest that declares nothing takes what the model has. Outputs must also stand in the model's order, in which
    predictors return them; inputs may stand in any, which is then the order of preprocessing's arrays.
    """
    if not declared:
        return
    names = [spec.name for spec in found]
    wanted = own_names([spec.name for spec in declared], names)
    same = sorted(names) == sorted(wanted) if kind == "inputs" else names == wanted
    if not same:
        raise UserError(
            f"{model}: the model has the {kind} {quoted(names)}, and the manifest declares {quoted(wanted)}",
            f"Correct {kind} in the manifest.",
        )
    real = {spec.name: spec for spec in found}
    for name, spec in zip(wanted, declared, strict=True):
        if not agree(real[name], spec):
            one = real[name]
            raise UserError(
                f"{model}: {name!r} is {described(one)} in the model, and {described(spec)} in the manifest",
                f"Correct {kind} in the manifest.",
            )


def agree(one: TensorSpec, other: TensorSpec) -> bool:
    """True when both can describe one array: same dtype and rank, and sizes that are equal or free.

    What one of them leaves open is not compared.
    """
    if one.dtype and other.dtype and one.dtype != other.dtype:
        return False
    if not one.shape or not other.shape:
        return True
    return len(one.shape) == len(other.shape) and all(
        None in (a, b) or a == b for a, b in zip(one.shape, other.shape, strict=True)
    )


def quoted(names: Sequence[str]) -> str:
    """Names as a message shows them."""
    return ", ".join(repr(name) for name in names) or "none"
