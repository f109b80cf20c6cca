"""From a manifest and the user's choices to a RunPlan. What can be wrong before a runner starts is found here."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from mlharness.choices import Choices
from mlharness.cores import usable_cores
from mlharness.data_root import VARIABLE as DATA_DIR
from mlharness.environments.choosing import Wish, choose_environment
from mlharness.errors import ManifestError, PluginError, UserError
from mlharness.manifest.documents import DataSetManifest, ModelManifest, Step
from mlharness.manifest.files import locate_options
from mlharness.manifest.place import place, placed
from mlharness.manifest.problems import dotted, one_line
from mlharness.options import parse_option, resolve_options
from mlharness.plan import (
    HostPart,
    PlannedBatching,
    PlannedDataSet,
    PlannedFile,
    PlannedFramework,
    PlannedMetric,
    PlannedModel,
    PlannedStep,
    PlannedTest,
    PlannedWish,
    RunPlan,
)
from mlharness.providers import FrameworkProvider
from mlharness.registrars import Catalog, Registered
from mlharness.userconf import read_user_conf

MLPERF_MIN_DURATION_S = 600.0
_DEVICE = re.compile(r"(cpu|[a-z]+:\d+)\Z")


def make_plan(
    model: ModelManifest,
    dataset: DataSetManifest,
    choices: Choices,
    catalog: Catalog,
    files: Sequence[tuple[Path, str]],
    blocked: Sequence[str] = (),
) -> RunPlan:
    """Resolve everything.

    Args:
        model: the model's manifest.
        dataset: the data set's manifest.
        choices: the user's.
        catalog: what the plugins provide.
        files: local path and sha256 of each model file, in the manifest's order.
        blocked: plugins that runners must not load either.

    Raises:
        UserError: a choice that does not go with the manifest, the rules or what the plugins provide.
    """
    framework, version = find_framework(model, choices, catalog)
    test = plan_test(model, choices)
    planned = plan_framework(model, choices, framework, version)
    data = plan_dataset(dataset, choices, catalog)
    preprocess = plan_steps(model, model.preprocess, "preprocess", catalog)
    postprocess = plan_steps(model, model.postprocess, "postprocess", catalog)
    metric = plan_metric(model, choices, catalog)
    check_samples(model, dataset)
    plugins = plugins_of(model, dataset, (data, metric, *preprocess, *postprocess))
    wish = Wish(framework.provider, version, requirements_of(model, dataset), plugins)
    return RunPlan(
        model=plan_model(model, files),
        framework=planned,
        dataset=data,
        preprocess=preprocess,
        postprocess=postprocess,
        metric=metric,
        test=test,
        batching=PlannedBatching(
            first(choices.batch_size, model.bench.batch_size, 1), first(choices.max_wait_us, model.bench.max_wait_us, 0)
        ),
        warmup=choices.warmup,
        host=plan_host(model, dataset, choices, files, blocked, choose_environment(wish)),
        labels=choices.labels,
    )


def needs_of(
    model: ModelManifest, dataset: DataSetManifest, catalog: Catalog
) -> tuple[tuple[str, ...], frozenset[str]]:
    """What an environment needs beside the framework: packages that the manifests require, and plugins by name.

    Raises:
        UserError: a step, metric or data set that no usable plugin provides.
    """
    steps = (
        *plan_steps(model, model.preprocess, "preprocess", catalog),
        *plan_steps(model, model.postprocess, "postprocess", catalog),
    )
    data, metric = plan_dataset(dataset, Choices(), catalog), plan_metric(model, Choices(), catalog)
    return requirements_of(model, dataset), plugins_of(model, dataset, (data, metric, *steps))


def requirements_of(model: ModelManifest, dataset: DataSetManifest) -> tuple[str, ...]:
    """The packages that either manifest requires, each once."""
    return tuple(dict.fromkeys((*model.requires, *dataset.requires)))


def plugins_of(
    model: ModelManifest,
    dataset: DataSetManifest,
    planned: Sequence[PlannedDataSet | PlannedMetric | PlannedStep | None],
) -> frozenset[str]:
    """The plugins that ship the manifests, and those of the planned data set, metric and steps."""
    shipping = filter(None, (model.origin.plugin, dataset.origin.plugin))
    return frozenset({*shipping, *(part.plugin for part in planned if part is not None)})


def first(*values: Any) -> Any:
    """The first value that is not None."""
    return next(value for value in values if value is not None)


def find_framework(
    model: ModelManifest, choices: Choices, catalog: Catalog
) -> tuple[Registered[FrameworkProvider], str]:
    """The framework to run on, and the version range that binds: the user's, else the manifest's."""
    if choices.framework is None:
        with placed(model.origin.path, *model.key("framework", "name")):
            return catalog.frameworks.find(model.framework.name), model.framework.version
    wished = wished_framework(choices.framework)
    found = catalog.frameworks.find(wished.name)
    # Asked of the one that is there: the manifest's own framework need not be installed.
    same = found.answers_to(model.framework.name)
    return found, str(wished.specifier) or (model.framework.version if same else "")


def wished_framework(chosen: str) -> Requirement:
    """The framework and the version range of ``--framework``. Raises UserError when it is no requirement."""
    try:
        return Requirement(chosen)
    except InvalidRequirement as error:
        raise UserError(f"--framework {chosen!r}: {error}", "Write NAME or NAME==VERSION.") from error


def check_device(device: str) -> None:
    """Raise UserError for what can be no device; whether a framework has it is known once it is loaded."""
    if not _DEVICE.match(device):
        raise UserError(f"--device {device!r} is no device", "Write cpu, or KIND:NUMBER, as cuda:0.")


def plan_model(model: ModelManifest, files: Sequence[tuple[Path, str]]) -> PlannedModel:
    """The model with the hashes of its files."""
    planned = tuple(PlannedFile(wish.source, sha256) for wish, (_, sha256) in zip(model.files, files, strict=True))
    return PlannedModel(
        model.name, model.version, model.origin.sha256, model.weights, model.modality, planned,
        model.inputs, model.outputs, model.attributes, model.allow_non_finite, model.parallel,
    )  # fmt: skip


def plan_framework(
    model: ModelManifest, choices: Choices, framework: Registered[FrameworkProvider], version: str
) -> PlannedFramework:
    """The framework with every option resolved: --option, else --threads, else the manifest's, else the default."""
    provider, what = framework.provider, f"framework {framework.name!r}"
    of_manifest = model.framework.options if framework.answers_to(model.framework.name) else {}
    with placed(model.origin.path, *model.key("framework", "options")):
        resolve_options(what, provider.options, of_manifest)
    of_threads = {provider.threads: choices.threads} if provider.threads and choices.threads is not None else {}
    of_options = dict(parse_option(provider.options, what, text) for text in choices.options)
    given = {**of_manifest, **of_threads, **of_options}
    if choices.scenario == "SingleStream" and first(choices.instances, 1) != 1:
        raise UserError(f"--instances {choices.instances}: SingleStream has one query at a time", "Leave it out.")
    return PlannedFramework(
        framework.name, framework.plugin, version, choices.device, resolve_options(what, provider.options, given),
        choices.instances, choices.threads,
        PlannedWish(model.framework.name, model.framework.version, model.framework.written_for),
    )  # fmt: skip


def plan_dataset(dataset: DataSetManifest, choices: Choices, catalog: Catalog) -> PlannedDataSet:
    """The data set with every option resolved."""
    with placed(dataset.origin.path, "provider"):
        found = catalog.datasets.find(dataset.provider)
    with placed(dataset.origin.path, "options"):
        options = resolve_options(f"data set {dataset.name!r}", found.provider.options, dataset.options)
    return PlannedDataSet(
        dataset.name, dataset.version, found.name, found.plugin, dataset.origin.sha256, options, choices.count,
        dataset.lines,
    )  # fmt: skip


class StepMissingError(ManifestError, PluginError):
    """A step that no usable plugin provides: the plugins that could not be loaded are worth naming beside it."""


def plan_steps(model: ModelManifest, steps: Sequence[Step], stage: str, catalog: Catalog) -> tuple[PlannedStep, ...]:
    """Named steps with every parameter resolved. Raises ManifestError naming file, line and step."""
    planned = []
    for index, step in enumerate(steps):
        where = one_line(f"{model.origin.path}:{step.line}: {dotted(model.key(stage, index))}")
        try:
            found = catalog.steps.find(step.name)
            parameters = resolve_options(f"step {step.name!r}", found.provider.parameters, parameters_of(step))
            locate_options(parameters, found.provider.parameters, model.origin.path.parent, catalog)
        except PluginError as error:
            raise StepMissingError(f"{where}: {error.message}", error.remedy) from error
        except UserError as error:
            raise ManifestError(f"{where}: {error.message}", error.remedy) from error
        planned.append(PlannedStep(step.name, found.plugin, parameters))
    return tuple(planned)


def check_samples(model: ModelManifest, dataset: DataSetManifest) -> None:
    """Raise UserError when the data set's Python gives no samples, and the model's does not open them itself."""
    opens = bool(model.preprocess) and model.preprocess[0].published
    if dataset.inline and "sample" not in dataset.options and not opens:
        raise UserError(
            f"{place(dataset.origin.path, 'options')}: the data set has no sample(index), so only a model whose "
            f"preprocess begins with Python of the convention published can use it, and {model.name} does not",
            "Add sample to the options, or use another data set.",
        )


def parameters_of(step: Step) -> Mapping[str, Any]:
    """A step's parameters; inline Python is also told its line, so that tracebacks point into the manifest."""
    return {**step.parameters, "line": step.line} if step.inline else step.parameters


def plan_metric(model: ModelManifest, choices: Choices, catalog: Catalog) -> PlannedMetric | None:
    """The metric and the bytes that it reads back. Raises UserError when accuracy is asked for and cannot be had."""
    if choices.mode != "performance":
        check_accuracy_possible(model)
    wish = model.metric
    if wish is None:
        return None
    with placed(model.origin.path, "metric", "name"):
        found = catalog.metrics.find(wish.name)
    given = wish.options
    if wish.python is not None:
        given = {**parameters_of(wish.python), "unit": wish.unit, "options": wish.options}
    with placed(model.origin.path, "metric", "options"):
        options = resolve_options(f"metric {found.name!r}", found.provider.options, given)
        locate_options(options, found.provider.options, model.origin.path.parent, catalog)
        response = wish.response or found.provider.response(options)
    higher = found.provider.higher_is_better if wish.python is None else wish.higher_is_better
    return PlannedMetric(found.name, found.plugin, options, wish.target, response, higher)


def check_accuracy_possible(model: ModelManifest) -> None:
    """Raise UserError when a figure of accuracy would mean nothing."""
    if model.weights == "random":
        raise UserError(
            f"{model.name} has random weights: its accuracy says nothing",
            "Use --mode performance, or a manifest with trained weights.",
        )
    if model.metric is None:
        raise UserError(f"the manifest of {model.name} names no metric", "Add metric: {name: top1}, or another metric.")


def plan_test(model: ModelManifest, choices: Choices) -> PlannedTest:
    """LoadGen's settings, as far as they are known before the calibration."""
    conf = {}
    if choices.user_conf is not None:
        conf = read_user_conf(choices.user_conf, model.mlperf.model, choices.scenario)
    if choices.rules == "mlperf":
        check_mlperf_rules(choices)
    limit = choices.target_latency_ms
    if limit is None and "target_latency" not in conf:
        limit = model.mlperf.server_target_latency_ms
    return PlannedTest(
        scenario=choices.scenario,
        mode=choices.mode,
        rules=choices.rules,
        mlperf_model=model.mlperf.model,
        target_qps=choices.target_qps,
        target_latency_ns=None if limit is None or choices.scenario != "Server" else round(limit * 1e6),
        duration_s=choices.duration_s,
        min_queries=choices.min_queries,
        performance_sample_count=model.mlperf.performance_sample_count,
        seed=choices.seed,
        user_conf=conf,
        audit_conf_sha256=file_sha256(choices.audit_conf),
    )


def check_mlperf_rules(choices: Choices) -> None:
    """Raise UserError for a choice that MLPerf's rules do not leave to the user."""
    if choices.duration_s is not None and choices.duration_s < MLPERF_MIN_DURATION_S:
        raise UserError(
            f"--duration {choices.duration_s:g}: MLPerf's rules ask for at least {MLPERF_MIN_DURATION_S:g} s",
            "Leave --duration out, or use --rules quick.",
        )
    if choices.seed is not None:
        raise UserError("--seed: MLPerf's rules fix the seeds", "Leave --seed out, or use --rules quick.")


def file_sha256(path: Path | None) -> str:
    """The sha256 of a small file's bytes, empty for None. Raises UserError when it cannot be read."""
    if path is None:
        return ""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "Check the path.") from error


def plan_host(
    model: ModelManifest,
    dataset: DataSetManifest,
    choices: Choices,
    files: Sequence[tuple[Path, str]],
    blocked: Sequence[str],
    interpreter: str,
) -> HostPart:
    """What this host decides: instances and threads from its usable cores, the environment, and the paths."""
    cores = usable_cores()
    single = choices.scenario == "SingleStream"
    instances, threads = share_cores(
        len(cores),
        1 if single else first(choices.instances, model.bench.instances, 0),
        first(choices.threads, model.bench.threads, 0),
        one_instance=choices.device != "cpu",
    )
    return HostPart(
        cores=cores,
        instances=instances,
        threads=threads,
        interpreter=interpreter,
        model_manifest=str(model.origin.path.absolute()),
        dataset_manifest=str(dataset.origin.path.absolute()),
        model_files=tuple(str(path) for path, _ in files),
        user_conf=str(choices.user_conf.absolute()) if choices.user_conf else "",
        audit_conf=str(choices.audit_conf.absolute()) if choices.audit_conf else "",
        blocked=tuple(blocked),
        stall_timeout_s=choices.stall_timeout_s,
        data_dir=str(choices.data_dir.absolute()) if choices.data_dir else os.environ.get(DATA_DIR, ""),
    )


def share_cores(cores: int, instances: int, threads: int, one_instance: bool) -> tuple[int, int]:
    """Predictors and threads of each, of which 0 means undecided.

    Undecided, a scenario that can keep many predictors busy gets one single-threaded predictor per core, which serves
    more samples a second than one predictor with every core.
    """
    if not instances:
        instances = 1 if one_instance else max(1, cores // (threads or 1))
    return instances, threads or max(1, cores // instances)
