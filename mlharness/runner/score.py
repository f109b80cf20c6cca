"""The verb *score*: an accuracy figure from LoadGen's own ``mlperf_log_accuracy.json``."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.builtin.inline_code import new_module
from mlharness.errors import PLUGIN_RAISES, MlharnessError, RunError
from mlharness.manifest.files import locate_options
from mlharness.plan import PlannedMetric, RunPlan
from mlharness.plugins import Plugins
from mlharness.providers import Array, ResponseSpec, Score
from mlharness.registrars import Catalog
from mlharness.runner.channel import PATIENT_S, Channel
from mlharness.runner.job import Job
from mlharness.runner.opening import Label, labels_of, open_dataset
from mlharness.runner.pipeline import run_blocks

ACCURACY_LOG = "mlperf_log_accuracy.json"


def score(job: Job, plugins: Plugins, channel: Channel) -> None:
    """Send the metric's score over the logged responses of an accuracy run."""
    plan = job.need_plan()
    metric = plan.metric
    if metric is None:
        raise RunError(f"the manifest of {plan.model.name!r} names no metric")
    channel.phase("score", metric.name, stall_s=PATIENT_S)
    namespace = new_module()
    dataset = open_dataset(plan, plugins, namespace)
    responses = read_responses(Path(job.directory) / ACCURACY_LOG, metric.response, len(dataset))
    try:
        found = describe(apply(plan, metric, plugins.catalog, responses, labels_of(dataset, plan), namespace))
    except MlharnessError:
        raise
    except PLUGIN_RAISES as error:
        raise metric_failure(metric, error) from error
    channel.send("scored", **found)


def apply(
    plan: RunPlan,
    metric: PlannedMetric,
    catalog: Catalog,
    responses: Mapping[int, Array],
    label: Label,
    namespace: types.ModuleType,
) -> Score:
    """The metric's score. One that is Python of the manifest runs in the module of the plan's other Python."""
    provider = catalog.metrics.find(metric.name).provider
    call: Callable[..., Score] = provider.score
    inside: dict[str, Any] = {}
    if metric.name == "python":
        run_blocks(plan, namespace)
        inside = {"filename": plan.host.model_manifest, "namespace": namespace}
    base = Path(plan.host.model_manifest).parent
    return call(responses, label, locate_options(metric.options, provider.options, base, catalog), **inside)


def describe(score: Score) -> dict[str, Any]:
    """A score as plain JSON data, whatever numbers of NumPy the metric gave. Raises ValueError for one not finite."""
    value, interval = float(score.value), [float(end) for end in score.interval or ()]
    details = {name: float(figure) for name, figure in score.details.items()}
    if not all(map(math.isfinite, (value, *interval, *details.values()))):
        raise ValueError(f"the score is {value}, with the interval {interval} and {details}")
    return {
        "value": value, "unit": score.unit, "n": int(score.n), "interval": interval or None, "details": details,
    }  # fmt: skip


def read_responses(log: Path, spec: ResponseSpec, count: int) -> dict[int, Array]:
    """The logged responses by sample index; of a sample logged twice, the first counts, as in MLPerf's scripts.

    Raises:
        RunError: a log that cannot be read, bytes that are not the metric's response, or a sample that is missing.
    """
    try:
        entries = json.loads(log.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{log.name} cannot be read: {error}") from error
    responses: dict[int, Array] = {}
    for entry in entries:
        if entry["qsl_idx"] not in responses:
            responses[entry["qsl_idx"]] = decode(entry["data"], spec, entry["qsl_idx"])
    missing = sorted(set(range(count)) - set(responses))
    if missing:
        raise RunError(f"LoadGen logged {len(responses)} of {count} samples; missing: {missing[:8]}")
    return responses


def decode(data: str, spec: ResponseSpec, index: int) -> Array:
    """One response's bytes (upper-case hex in the log) as an array of the metric's dtype and row shape."""
    try:
        return np.frombuffer(bytes.fromhex(data), spec.dtype).reshape([-1 if n is None else n for n in spec.shape])
    except ValueError as error:
        raise RunError(
            f"the response of sample {index} has {len(data) // 2} bytes, which are no {spec.dtype} {list(spec.shape)}"
        ) from error


def metric_failure(metric: PlannedMetric, error: BaseException) -> RunError:
    """The failed run that an exception in a metric is."""
    return RunError(f"metric {metric.name!r} of {metric.plugin} failed: {type(error).__name__}: {error}")
