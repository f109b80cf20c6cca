"""Registrars check what a plugin provides at the moment it is registered; the catalog finds it again by name.

Two providers of one name are both kept and neither is usable: asking for the name says which plugin to block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from mlharness.errors import PluginError, did_you_mean
from mlharness.providers import (
    DataSetProvider,
    FrameworkProvider,
    LoadPredictor,
    ManifestFolder,
    MeasureComplexity,
    MetricProvider,
    OpenDataSet,
    Option,
    ResponseSpec,
    ScoreResponses,
    SourceProvider,
    StepFunction,
    StepProvider,
    Tracer,
    TraceRequest,
    TracerProvider,
)
from mlharness.trace.levels import LEVELS

P = TypeVar("P")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]*\Z")


@dataclass(frozen=True)
class Registered(Generic[P]):
    """A provider, the plugin that it came from, and the other names that find it."""

    name: str
    plugin: str
    provider: P
    aliases: tuple[str, ...] = ()

    def answers_to(self, name: str) -> bool:
        """True when the name or an alias is this one, whatever its case, spaces, '-' and '_'."""
        return fold(name) in {fold(known) for known in (self.name, *self.aliases)}


@dataclass
class Shelf(Generic[P]):
    """All providers of one kind, by name; ``kind`` is the word that messages use."""

    kind: str
    entries: list[Registered[P]] = field(default_factory=list)

    def add(self, plugin: str, name: str, provider: P, aliases: Sequence[str] = ()) -> None:
        """Keep one provider. Raises PluginError for a name that could not be typed in a manifest."""
        if not _usable(name):
            raise PluginError(
                f"{self.kind} name {name!r} is not usable", "Use lower-case letters, digits, '.', '_', '+' and '-'."
            )
        self.entries.append(Registered(name, plugin, provider, tuple(aliases)))

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        return sorted({entry.name for entry in self.entries})

    def find(self, name: str) -> Registered[P]:
        """The one provider of that name or alias. Raises PluginError when there is none, or more than one."""
        found = [entry for entry in self.entries if entry.answers_to(name)]
        if not found:
            remedy = did_you_mean(name, self.names())
            if self.kind == "framework":
                remedy += f" Its plugin may not be installed: pip install mlharness-{fold(name)}"
            raise PluginError(f"no {self.kind} is named {name!r}", remedy)
        if len(found) > 1:
            plugins = " and ".join(sorted({entry.plugin for entry in found}))
            raise PluginError(
                f"{self.kind} {name!r} is provided by {plugins}, so neither is used",
                f"Block one of them: --block {found[-1].plugin}",
            )
        return found[0]

    def __iter__(self) -> Iterator[Registered[P]]:
        return iter(self.entries)


@dataclass
class Catalog:
    """Everything that the loaded plugins provide."""

    frameworks: Shelf[FrameworkProvider] = field(default_factory=lambda: Shelf("framework"))
    datasets: Shelf[DataSetProvider] = field(default_factory=lambda: Shelf("data-set kind"))
    steps: Shelf[StepProvider] = field(default_factory=lambda: Shelf("step"))
    metrics: Shelf[MetricProvider] = field(default_factory=lambda: Shelf("metric"))
    sources: Shelf[SourceProvider] = field(default_factory=lambda: Shelf("source"))
    manifests: Shelf[ManifestFolder] = field(default_factory=lambda: Shelf("manifest folder"))
    tracers: Shelf[TracerProvider] = field(default_factory=lambda: Shelf("tracer"))

    def shelves(self) -> Sequence[Shelf[object]]:
        """Every shelf, in the order in which they are shown."""
        return (
            self.frameworks,
            self.datasets,
            self.steps,
            self.metrics,
            self.sources,
            self.manifests,
            self.tracers,
        )  # type: ignore[return-value]  # shelves are only read here

    def absorb(self, other: Catalog) -> None:
        """Take over all that another catalog holds."""
        for shelf, new in zip(self.shelves(), other.shelves(), strict=True):
            shelf.entries.extend(new.entries)

    def drop(self, plugin: str) -> None:
        """Forget all that one plugin provided, as if it had never been loaded."""
        for shelf in self.shelves():
            shelf.entries[:] = [entry for entry in shelf.entries if entry.plugin != plugin]


@dataclass(frozen=True)
class _Registrar:
    catalog: Catalog
    plugin: str


class FrameworkRegistrar(_Registrar):
    """Given to ``mlh_register_frameworks``."""

    def framework(
        self,
        name: str,
        *,
        load: LoadPredictor,
        version: Callable[[], str],
        devices: Callable[[], Sequence[str]] = lambda: ("cpu",),
        options: Sequence[Option] = (),
        aliases: Sequence[str] = (),
        requirement: str = "",
        threads: str = "",
        variants: Mapping[str, str] | None = None,
        complexity: MeasureComplexity | None = None,
        code: Sequence[str] = (),
        endings: Sequence[str] = (),
    ) -> None:
        """Provide a framework; see :class:`~mlharness.providers.FrameworkProvider`."""
        check_callable(name, load=load, version=version, devices=devices)
        if threads and threads not in {option.name for option in options}:
            raise PluginError(f"framework {name!r}: threads={threads!r} is not one of its options")
        if complexity is not None:
            check_callable(name, complexity=complexity)
        provider = FrameworkProvider(
            name, load, version, devices, check_options(name, options), tuple(aliases), requirement, threads,
            dict(variants or {}), complexity, tuple(code), tuple(endings),
        )  # fmt: skip
        self.catalog.frameworks.add(self.plugin, name, provider, aliases)


class DataSetRegistrar(_Registrar):
    """Given to ``mlh_register_datasets``."""

    def dataset(self, name: str, *, open: OpenDataSet, options: Sequence[Option] = ()) -> None:  # noqa: A002  # the field's verb
        """Provide a kind of data set; see :class:`~mlharness.providers.DataSetProvider`."""
        check_callable(name, open=open)
        self.catalog.datasets.add(self.plugin, name, DataSetProvider(name, open, check_options(name, options)))


class StepRegistrar(_Registrar):
    """Given to ``mlh_register_steps``."""

    def step(
        self,
        name: str,
        make: Callable[..., StepFunction],
        *,
        parameters: Sequence[Option] = (),
        batch: bool = False,
        serial: bool = False,
    ) -> None:
        """Provide a processing step; its documentation is ``make``'s docstring."""
        check_callable(name, make=make)
        doc = (make.__doc__ or "").strip()
        if not doc:
            raise PluginError(f"step {name!r} has no docstring", "Say its shapes and dtypes in the docstring of make.")
        self.catalog.steps.add(
            self.plugin, name, StepProvider(name, make, doc, check_options(name, parameters), batch, serial)
        )


class MetricRegistrar(_Registrar):
    """Given to ``mlh_register_metrics``."""

    def metric(
        self,
        name: str,
        *,
        score: ScoreResponses,
        response: Callable[..., ResponseSpec],
        options: Sequence[Option] = (),
        higher_is_better: bool = True,
    ) -> None:
        """Provide an accuracy metric; its documentation is ``score``'s docstring."""
        check_callable(name, score=score, response=response)
        doc = (score.__doc__ or "").strip()
        provider = MetricProvider(name, score, response, doc, check_options(name, options), higher_is_better)
        self.catalog.metrics.add(self.plugin, name, provider)


class SourceRegistrar(_Registrar):
    """Given to ``mlh_register_sources``."""

    def source(self, provider: SourceProvider) -> None:
        """Provide a URL scheme; see :class:`~mlharness.providers.SourceProvider`."""
        check_callable(provider.scheme, locate=provider.locate)
        self.catalog.sources.add(self.plugin, provider.scheme, provider)


class TracerRegistrar(_Registrar):
    """Given to ``mlh_register_tracers``."""

    def tracer(
        self,
        name: str,
        *,
        level: str,
        open: Callable[[TraceRequest], Tracer],  # noqa: A002  # the field's verb
        doc: str,
        framework: str = "",
        unavailable: Callable[[TraceRequest], str] = lambda request: "",
    ) -> None:
        """Provide a source of spans; see :class:`~mlharness.providers.TracerProvider`."""
        check_callable(name, open=open, unavailable=unavailable)
        if level not in LEVELS:
            raise PluginError(f"tracer {name!r}: {level!r} is no level", did_you_mean(level, LEVELS))
        if not doc.strip():
            raise PluginError(f"tracer {name!r} has no doc", "Say in one sentence what it reads.")
        self.catalog.tracers.add(self.plugin, name, TracerProvider(name, level, open, doc, framework, unavailable))


class ManifestRegistrar(_Registrar):
    """Given to ``mlh_register_manifests``."""

    def folder(self, path: Path) -> None:
        """Provide a folder of manifests that this plugin ships. Raises PluginError when it is not there."""
        if not path.is_dir():
            raise PluginError(f"manifest folder {path} is not there", "Reinstall the plugin.")
        self.catalog.manifests.add(self.plugin, self.plugin, ManifestFolder(path))


def _usable(name: object) -> bool:
    """True for a name that can be typed in a manifest; a plugin may pass anything."""
    return isinstance(name, str) and bool(_NAME.match(name))


def check_callable(name: str, **functions: object) -> None:
    """Raise PluginError unless every given thing can be called."""
    for role, function in functions.items():
        if not callable(function):
            raise PluginError(f"{name!r}: {role} is {type(function).__name__}, not a function")


def check_options(name: str, options: Sequence[Option]) -> tuple[Option, ...]:
    """The options as a tuple. Raises PluginError for a repeated name."""
    names = [option.name for option in options]
    repeated = {option for option in names if names.count(option) > 1}
    if repeated:
        raise PluginError(f"{name!r} declares the option {sorted(repeated)[0]!r} twice")
    return tuple(options)


def fold(name: str) -> str:
    """One spelling for 'ONNX Runtime', 'Onnxruntime' and 'onnxruntime'."""
    return re.sub(r"[\s_-]+", "", name).casefold()
