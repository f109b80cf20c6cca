"""RunPlan: a manifest plus the user's choices, fully resolved, frozen, JSON, hashable.

The hash covers what was asked and what is measured (weights, data, steps, settings), never where: paths, host, times
and calibration are left out, so that one plan has one hash on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from mlharness.providers import ResponseSpec, TensorSpec
from mlharness.rundir import PLAN_VERSION

Scenario = Literal["SingleStream", "MultiStream", "Server", "Offline"]
Mode = Literal["performance", "accuracy", "both"]
Rules = Literal["quick", "mlperf"]
SCENARIOS: tuple[Scenario, ...] = ("SingleStream", "MultiStream", "Server", "Offline")
MODES: tuple[Mode, ...] = ("performance", "accuracy", "both")
RULES: tuple[Rules, ...] = ("quick", "mlperf")


@dataclass(frozen=True)
class PlannedFile:
    """A model file as the manifest names it, and the sha256 of its bytes."""

    source: str
    sha256: str


@dataclass(frozen=True)
class PlannedStep:
    """A processing step with every parameter resolved; inline Python carries its source as a parameter."""

    name: str
    plugin: str
    parameters: Mapping[str, Any]

    @property
    def published(self) -> bool:
        """True for Python by the convention of the published manifests."""
        return self.parameters.get("convention") == "published"


@dataclass(frozen=True)
class PlannedModel:
    """The model: identity, weights, declared tensors, and what its author vouches for.

    ``allow_non_finite``: outputs may hold NaN or infinity; ``parallel``: its Python may preprocess in threads.
    """

    name: str
    version: str
    manifest_sha256: str
    weights: Literal["trained", "random"]
    modality: str
    files: tuple[PlannedFile, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    attributes: Mapping[str, Any]
    allow_non_finite: bool
    parallel: bool = False


@dataclass(frozen=True)
class PlannedWish:
    """The framework that the manifest names, its range and what it was written for; the user may choose another."""

    name: str = ""
    version: str = ""
    written_for: str = ""


@dataclass(frozen=True)
class PlannedFramework:
    """The framework and what was asked of it; None means that the host's cores decide (see :class:`HostPart`).

    ``version`` is the range that binds: the user's, else the manifest's.
    """

    name: str
    plugin: str
    version: str
    device: str
    options: Mapping[str, Any]
    instances: int | None
    threads: int | None
    manifest: PlannedWish = PlannedWish()


@dataclass(frozen=True)
class PlannedDataSet:
    """The data set, how it is opened, and how many of its samples are used (None: all).

    For Python of its manifest, ``lines`` are those on which the source of each option begins.
    """

    name: str
    version: str
    provider: str
    plugin: str
    manifest_sha256: str
    options: Mapping[str, Any]
    count: int | None
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedMetric:
    """The accuracy metric, its target, and the bytes that each response holds."""

    name: str
    plugin: str
    options: Mapping[str, Any]
    target: float | None
    response: ResponseSpec
    higher_is_better: bool


@dataclass(frozen=True)
class PlannedTest:
    """What LoadGen is asked for; None leaves the value to mlperf.conf, the user's conf or the calibration.

    Durations in seconds, latencies in nanoseconds, rates in queries (Offline: samples) a second. ``user_conf`` holds
    the keys of the user's conf that apply to this model and scenario, as they stand there.
    """

    scenario: Scenario
    mode: Mode
    rules: Rules
    mlperf_model: str
    target_qps: float | None = None
    target_latency_ns: int | None = None
    duration_s: float | None = None
    min_queries: int | None = None
    performance_sample_count: int | None = None
    seed: int | None = None
    user_conf: Mapping[str, float] = field(default_factory=dict)
    audit_conf_sha256: str = ""


@dataclass(frozen=True)
class PlannedBatching:
    """Largest batch handed to a predictor, and how long Server waits to fill one, in microseconds."""

    batch_size: int
    max_wait_us: int


@dataclass(frozen=True)
class HostPart:
    """What this host decides; not part of the hash. ``data_dir`` is the runners' DATA_DIR, empty when there is none."""

    cores: tuple[int, ...]
    instances: int
    threads: int
    interpreter: str
    model_manifest: str
    dataset_manifest: str
    model_files: tuple[str, ...]
    user_conf: str = ""
    audit_conf: str = ""
    blocked: tuple[str, ...] = ()
    stall_timeout_s: float | None = None
    data_dir: str = ""


@dataclass(frozen=True)
class RunPlan:
    """One run, complete: a runner needs nothing else to measure it."""

    model: PlannedModel
    framework: PlannedFramework
    dataset: PlannedDataSet
    preprocess: tuple[PlannedStep, ...]
    postprocess: tuple[PlannedStep, ...]
    metric: PlannedMetric | None
    test: PlannedTest
    batching: PlannedBatching
    warmup: int
    host: HostPart
    labels: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The plan as plain JSON data, with its hash."""
        return {"schema_version": PLAN_VERSION, "plan_sha256": self.sha256, **msgspec.to_builtins(self)}

    @property
    def sha256(self) -> str:
        """The sha256 of the plan's canonical JSON without the host's part and the labels."""
        asked = msgspec.to_builtins(self)
        del asked["host"], asked["labels"]
        return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()

    def with_test(self, **changes: Any) -> RunPlan:
        """The same plan with some of LoadGen's settings changed."""
        return replace(self, test=replace(self.test, **changes))
