"""Opens what a plan names: its data set and its model. Used by every verb that needs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packaging.specifiers import SpecifierSet

from mlharness.errors import UserError
from mlharness.manifest.files import resolve
from mlharness.plan import RunPlan
from mlharness.plugins import Plugins
from mlharness.providers import DataSet, FrameworkProvider, Model, Predictor, TensorSpec


def open_dataset(plan: RunPlan, plugins: Plugins) -> DataSet:
    """The plan's data set, opened and its files checked. Raises UserError when there is nothing in it."""
    provider = plugins.catalog.datasets.find(plan.dataset.provider).provider
    base = Path(plan.host.dataset_manifest).parent

    def locate(source: str) -> Path:
        found = resolve(source, base, None, plugins.catalog)
        if found is None:
            raise UserError(f"data set {plan.dataset.name!r}: {source} has not been fetched", "Run mlh bench again.")
        return found

    dataset = provider.open(plan.dataset.options, plan.dataset.count, locate)
    if not len(dataset):
        raise UserError(f"data set {plan.dataset.name!r} has no samples", "Check its manifest, and --count.")
    dataset.check()
    return dataset


def load_predictor(framework: FrameworkProvider, plan: RunPlan) -> Predictor:
    """One predictor for a plan. Raises UserError when the installed framework or the model is not what it asks for."""
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
    predictor = framework.load(model, plan.framework.device, options)
    check_inputs(predictor.inputs, plan)
    return predictor


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


def check_inputs(found: Sequence[TensorSpec], plan: RunPlan) -> None:
    """Raise UserError unless the loaded model has the inputs that the manifest declares, by name, dtype and shape."""
    for declared in plan.model.inputs:
        matching = [spec for spec in found if spec.name == declared.name]
        if not matching:
            names = ", ".join(repr(spec.name) for spec in found)
            raise UserError(
                f"{plan.model.name}: the model has no input {declared.name!r}", f"It has {names}: correct the manifest."
            )
        real = matching[0]
        fits = len(real.shape) == len(declared.shape) and all(
            one is None or other is None or one == other for one, other in zip(real.shape, declared.shape, strict=True)
        )
        if real.dtype != declared.dtype or not fits:
            raise UserError(
                f"{plan.model.name}: input {declared.name!r} is {real.dtype} {list(real.shape)} in the model, "
                f"and {declared.dtype} {list(declared.shape)} in the manifest",
                "Correct inputs in the manifest.",
            )
