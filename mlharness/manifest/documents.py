"""The two manifests as frozen dataclasses, made by :func:`mlharness.manifest.reading.read_manifest`.

Their shape is that of ``schemas/model.v1.schema.json`` and ``schemas/dataset.v1.schema.json``, which say what each
key means; here YAML's shorthands are resolved (a step's one-key mapping is a :class:`Step`, a shape is a tuple).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlharness.providers import ResponseSpec, TensorSpec
from mlharness.registrars import fold

MD5 = "md5:"
"""What a checksum begins with that is an md5; any other is a sha256."""


@dataclass(frozen=True)
class Origin:
    """Where a manifest was read from: its file, its bytes' sha256, and the plugin that shipped it (None: a user's)."""

    path: Path
    sha256: str
    plugin: str | None = None


@dataclass(frozen=True)
class Step:
    """One processing step: a named step of a plugin with parameters, or the manifest's own Python.

    ``line`` is the 1-based line in the manifest on which the step (for Python: its source) begins.
    """

    name: str
    parameters: Mapping[str, Any]
    line: int

    @property
    def inline(self) -> bool:
        """True when the step is Python of the manifest itself, which needs trust."""
        return fold(self.name) == "python"

    @property
    def published(self) -> bool:
        """True for Python of the published manifests' convention, which opens samples itself."""
        return self.inline and self.parameters.get("convention") == "published"


@dataclass(frozen=True)
class FrameworkWish:
    """The framework that a manifest is for; ``version`` is a PEP 440 range, empty when any will do.

    ``written_for`` is the exact version that the author had, if known, which does not bind.
    """

    name: str
    version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    written_for: str = ""


@dataclass(frozen=True)
class ModelFile:
    """A file of the model: a URI or a path relative to the manifest, and its sha256 if given, or else its md5.

    With ``member``, these are of an archive, and the model's file is the one of that path inside it.
    """

    source: str
    sha256: str | None = None
    member: str | None = None
    md5: str | None = None

    @property
    def checksum(self) -> str | None:
        """What the file is held against: its sha256, else ``md5:`` and its md5, else None."""
        return self.sha256 if self.sha256 is not None or self.md5 is None else f"{MD5}{self.md5}"


@dataclass(frozen=True)
class MetricWish:
    """The accuracy metric, its options, and the target (None: no target; the figure is only reported).

    One that is Python of the manifest itself is named ``python``, and says what a named metric's plugin knows.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    target: float | None = None
    python: Step | None = None
    response: ResponseSpec | None = None
    unit: str = ""
    higher_is_better: bool = True

    @property
    def inline(self) -> bool:
        """True when the metric is Python of the manifest itself, which needs trust."""
        return fold(self.name) == "python"


@dataclass(frozen=True)
class MlperfFacts:
    """What MLPerf's rules need: the key in mlperf.conf, Server's latency limit, the performance sample count."""

    model: str = ""
    server_target_latency_ms: float | None = None
    performance_sample_count: int | None = None


@dataclass(frozen=True)
class BenchDefaults:
    """How the author suggests to run the model; the user's options win. ``max_wait_us`` is Server's batching wait."""

    batch_size: int | None = None
    max_wait_us: int | None = None
    instances: int | None = None
    threads: int | None = None


@dataclass(frozen=True)
class ModelManifest:
    """A model as its author published it."""

    origin: Origin
    name: str
    version: str
    framework: FrameworkWish
    description: str = ""
    license: str = ""
    modality: str = ""
    references: tuple[str, ...] = ()
    weights: Literal["trained", "random"] = "trained"
    files: tuple[ModelFile, ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    dataset: str = ""
    preprocess: tuple[Step, ...] = ()
    postprocess: tuple[Step, ...] = ()
    metric: MetricWish | None = None
    mlperf: MlperfFacts = MlperfFacts()
    bench: BenchDefaults = BenchDefaults()
    allow_non_finite: bool = False
    parallel: bool = False
    requires: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    alternatives: tuple[ModelManifest, ...] = ()
    """The same model as it stands for each of the manifest's other frameworks."""
    overrides: tuple[str, ...] | None = None
    """For one of the alternatives: the keys that it has of its own."""

    def key(self, name: str, *inside: str | int) -> tuple[str | int, ...]:
        """Where a key stands in the file, for messages: in the alternative when it has the key, else at the top."""
        if self.overrides is None:
            return (name, *inside)
        own: tuple[str | int, ...] = ("frameworks", self.framework.name)
        if name == "framework":
            return (*own, *(part for part in inside if part in self.overrides))
        return (*own, name, *inside) if name in self.overrides else (name, *inside)

    @property
    def inline(self) -> bool:
        """True when any step, or the metric, is the manifest's own Python."""
        own = (*self.preprocess, *self.postprocess, *((self.metric,) if self.metric else ()))
        return any(part.inline for part in own)


@dataclass(frozen=True)
class DataSetManifest:
    """A data set as its author published it: a provider (``kind`` of a plugin) and the options it is opened with."""

    origin: Origin
    name: str
    version: str
    provider: str
    description: str = ""
    license: str = ""
    references: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    """For Python of the manifest itself: the 1-based line on which the source of each option begins."""

    @property
    def inline(self) -> bool:
        """True when the data set is Python of the manifest itself, which needs trust."""
        return fold(self.provider) == "python"
