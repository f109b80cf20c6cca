"""The record of one run: ``result.json``, in the form of ``schemas/result.v1.schema.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from mlharness.diagnosis import Diagnosis, diagnose
from mlharness.likeness import Fingerprint
from mlharness.loadgen_log import LoadGenLog
from mlharness.measuring import Measured
from mlharness.plan import PlannedMetric, RunPlan
from mlharness.rundir import RESULT_VERSION, UNVERIFIED
from mlharness.runner.job import Message

Status = Literal["valid", "invalid", "failed", "interrupted"]


@dataclass
class Findings:
    """What a run has found so far; a result can be made of it at any time."""

    performance: Measured | None = None
    accuracy: Measured | None = None
    prepared: dict[str, Message] = field(default_factory=dict)
    """What the last runner of a mode said before LoadGen began, whatever became of it; in the order of the tests."""
    fingerprints: list[Fingerprint] = field(default_factory=list)
    """Of every runner that had loaded the model."""
    score: Mapping[str, Any] | None = None
    null_floor_us: float | None = None
    quality: dict[str, Any] | None = None
    trace: dict[str, Any] | None = None
    trials: list[dict[str, Any]] = field(default_factory=list)
    search_note: str = ""
    warnings: list[str] = field(default_factory=list)
    failure: str = ""
    interrupted: bool = False

    @property
    def tests(self) -> list[Measured]:
        """The tests that ended."""
        return [test for test in (self.performance, self.accuracy) if test is not None]

    @property
    def sizing(self) -> Message | None:
        """What the runner of the performance test said before LoadGen began, also of a test that did not end."""
        return self.performance.prepared if self.performance else self.prepared.get("performance")

    @property
    def latest(self) -> Message | None:
        """The same of the latest test that got so far."""
        accuracy = self.accuracy.prepared if self.accuracy else self.prepared.get("accuracy")
        return accuracy or self.sizing

    def hear(self, mode: str, message: Message) -> None:
        """A message of the runner of a test; ``mode`` is the test's."""
        if message["event"] == "prepared":
            self.prepared[mode] = message
            self.fingerprints.append(message["fingerprint"])


def make_result(
    plan: RunPlan, directory: Path, findings: Findings, system: Mapping[str, Any], started: str, finished: str
) -> dict[str, Any]:
    """The result document. Figures are LoadGen's; a failed run has none."""
    reasons = invalid_reasons(findings)
    shown = findings.performance if status(findings, reasons) in ("valid", "invalid") else None
    last = findings.tests[-1] if findings.tests else None
    known = findings.latest or {}
    return {
        "schema_version": RESULT_VERSION,
        "run_id": directory.name,
        "plan_sha256": plan.sha256,
        "status": status(findings, reasons),
        "rules": plan.test.rules,
        "unverified": UNVERIFIED if plan.test.rules == "mlperf" else None,
        "invalid_reasons": reasons,
        "advice": [diagnosis.document() for diagnosis in diagnoses(findings)],
        "warnings": [*standing_warnings(plan, findings, shown), *findings.warnings],
        "model": describe_model(plan, known),
        "framework": describe_framework(plan, known),
        "dataset": describe_dataset(plan, known, last),
        "scenario": plan.test.scenario,
        "mode": plan.test.mode,
        "metric": describe_figure(plan, shown),
        "latency_ns": shown.log.latencies(plan.test.scenario) if shown else None,
        "samples": shown.measured["cost"]["samples"] if shown else None,
        "queries": int(shown.log.need("result_query_count")) if shown else None,
        "duration_s": shown.measured["duration_s"] if shown else None,
        "errors": sum(test.log.error_count for test in findings.tests),
        "accuracy": describe_accuracy(plan.metric, findings.score),
        "fingerprint": known.get("fingerprint"),
        "harness": describe_harness(plan, shown, findings.null_floor_us),
        "calibration": describe_calibration(findings),
        "quality": findings.quality if shown else None,
        "trace": findings.trace,
        "system": summarise_system(system),
        "started": started,
        "finished": finished,
        "labels": dict(plan.labels),
    }


def status(findings: Findings, reasons: Sequence[str]) -> Status:
    """Interrupted before failed before invalid before valid."""
    if findings.interrupted:
        return "interrupted"
    if findings.failure:
        return "failed"
    return "invalid" if reasons else "valid"


def invalid_reasons(findings: Findings) -> list[str]:
    """Why the run is not valid: its failure, LoadGen's verdict, or errors that LoadGen noted."""
    reasons = [findings.failure] if findings.failure else []
    if findings.interrupted:
        reasons.append("interrupted by the user")
    performance = findings.performance
    if performance is not None and not performance.log.valid:
        told = [diagnosis.reason for diagnosis in diagnoses(findings)]
        reasons += told or performance.log.invalid_reasons()
    for test in findings.tests:
        if test.log.error_count:
            reasons.append(f"LoadGen noted {test.log.error_count} errors: {'; '.join(test.log.errors[:3])}")
    return reasons


def diagnoses(findings: Findings) -> list[Diagnosis]:
    """LoadGen's rules that the performance test did not meet, each with the setting to change."""
    return [] if findings.performance is None else diagnose(findings.performance.log)


def standing_warnings(plan: RunPlan, findings: Findings, shown: Measured | None) -> list[str]:
    """What a reader of the figure must know, whatever happened."""
    warnings = []
    if plan.model.weights == "random":
        warnings.append("random weights: the figure is about speed only")
    if shown is not None and shown.log.figure(plan.test.scenario).plain:
        warnings.append("early stopping gave no estimate: the figure is the plain percentile")
    if findings.search_note:
        warnings.append(findings.search_note)
    used = findings.tests[-1].prepared["dataset_count"] if findings.tests else None
    if used is not None and plan.dataset.count is not None and used < plan.dataset.count:
        warnings.append(f"--count {plan.dataset.count}: the data set has {used} samples, and all are used")
    if plan.test.rules == "mlperf" and plan.dataset.count is not None:
        warnings.append(f"--count {plan.dataset.count}: MLPerf's rules ask for the whole data set")
    warnings += (findings.latest or {}).get("remarks", [])
    return warnings + version_warnings(plan, (findings.latest or {}).get("framework_version"))


def version_warnings(plan: RunPlan, found: str | None) -> list[str]:
    """That the framework is not of the exact version for which the model was written, which binds nobody."""
    wish = plan.framework.manifest
    if not wish.written_for or found is None or wish.name != plan.framework.name or wish.written_for == found:
        return []
    return [f"the model was written for {wish.name} {wish.written_for}, and this is {found}"]


def describe_model(plan: RunPlan, known: Message) -> dict[str, Any]:
    """Which model, by hashes, and how large its network is."""
    complexity = known.get("complexity") or {}
    return {
        "name": plan.model.name,
        "version": plan.model.version,
        "manifest_sha256": plan.model.manifest_sha256,
        "weights": plan.model.weights,
        "files": [{"path": file.source, "sha256": file.sha256} for file in plan.model.files],
        "parameters": complexity.get("parameters"),
        "multiply_adds": complexity.get("multiply_adds"),
    }


def describe_framework(plan: RunPlan, known: Message) -> dict[str, Any]:
    """Which framework, how it was set, and where it ran."""
    return {
        "name": plan.framework.name,
        "version": known.get("framework_version"),
        "wished": plan.framework.version,
        "manifest": asdict(plan.framework.manifest),
        "plugin": plan.framework.plugin,
        "device": plan.framework.device,
        "instances": plan.host.instances,
        "threads": plan.host.threads,
        "batch_size": plan.batching.batch_size,
        "max_wait_us": plan.batching.max_wait_us,
        "options": dict(plan.framework.options),
        "environment": plan.host.interpreter,
    }


def describe_dataset(plan: RunPlan, known: Message, test: Measured | None) -> dict[str, Any]:
    """Which data, how many samples there are, and the most that were loaded at once."""
    return {
        "name": plan.dataset.name,
        "manifest_sha256": plan.dataset.manifest_sha256,
        "count": known.get("dataset_count", plan.dataset.count),
        "loaded": test.measured["loaded"] if test else None,
    }


def describe_figure(plan: RunPlan, shown: Measured | None) -> dict[str, Any] | None:
    """LoadGen's figure under LoadGen's key; None in accuracy mode and for a failed run."""
    return msgspec.to_builtins(shown.log.figure(plan.test.scenario)) if shown else None


def describe_accuracy(metric: PlannedMetric | None, score: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The score beside its target; ``passed`` is None when there is no target."""
    if metric is None or score is None:
        return None
    return {
        "metric": metric.name,
        "value": score["value"],
        "unit": score["unit"],
        "n": score["n"],
        "interval": score["interval"],
        "details": score["details"],
        "target": metric.target,
        "passed": meets_target(metric, score["value"]),
    }


def meets_target(metric: PlannedMetric, value: float) -> bool | None:
    """Whether a score is good enough; None without a target."""
    if metric.target is None:
        return None
    return value >= metric.target if metric.higher_is_better else value <= metric.target


def describe_harness(plan: RunPlan, shown: Measured | None, null_floor_us: float | None) -> dict[str, Any]:
    """mlharness's own cost in this run, in microseconds a query (Offline: a sample), beside the null floor."""
    described: dict[str, Any] = {"us_per_query": None, "null_floor_us": null_floor_us}
    if shown is None:
        return described
    cost = shown.measured["cost"]
    count = cost["samples"] if plan.test.scenario == "Offline" else shown.log.need("result_query_count")
    return described | {
        "us_per_query": 1e6 * cost["harness_s"] / count,
        "after_us_per_query": 1e6 * cost["after_s"] / count,
        "predict_us_per_query": 1e6 * cost["predict_s"] / count,
        "postprocess_us_per_query": 1e6 * cost["postprocess_s"] / count,
        "samples_per_batch": cost["samples"] / cost["batches"],
        "switch_interval_s": shown.prepared["switch_interval_s"],
    }


def describe_calibration(findings: Findings) -> dict[str, Any] | None:
    """What LoadGen was told to expect and why, its settings, and the trials of a rate search."""
    sizing = findings.sizing
    if sizing is None:
        return None
    return {**sizing["calibration"], "settings": sizing["settings"], "trials": findings.trials}


def summarise_system(system: Mapping[str, Any]) -> dict[str, Any]:
    """The few facts that a reader wants beside a figure; ``system.json`` has the rest. Empty when it was never made."""
    if not system:
        return {}
    return {
        "host": system["host"],
        "cpu": system["cpu"]["model"],
        "usable_cores": len(system["cpu"]["usable_cores"]),
        "memory_bytes": system["memory_bytes"],
        "os": system["os"],
        "virtualised": system["virtualised"],
    }


def ended_early(log: LoadGenLog) -> bool:
    """True when the minimum duration was missed, and not because of a latency limit: LoadGen expected too little."""
    return (
        not log.valid
        and log.values.get("result_min_duration_met") is False
        and log.values.get("result_perf_constraints_met") is not False
    )
