"""Shared by the tests: steps and data sets as the kernel makes them, and files inside packages."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from mlharness_language import plugin

from mlharness.builtin import sources
from mlharness.manifest.files import locate_here, locate_options
from mlharness.options import resolve_options
from mlharness.providers import DataSet, Score, StepFunction
from mlharness.registrars import Catalog, DataSetRegistrar, MetricRegistrar, SourceRegistrar, StepRegistrar

DATA = Path(__file__).parent / "data"
VOCAB = "pkg://mlharness_language/files/bert-uncased-vocab.txt"


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """What this plugin provides, and the sources of files."""
    filled = Catalog()
    sources.mlh_register_sources(SourceRegistrar(filled, "builtin-sources"))
    plugin.mlh_register_steps(StepRegistrar(filled, "mlharness-language"))
    plugin.mlh_register_datasets(DataSetRegistrar(filled, "mlharness-language"))
    plugin.mlh_register_metrics(MetricRegistrar(filled, "mlharness-language"))
    return filled


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the small data sets in the official layouts."""
    return DATA


@pytest.fixture(scope="session")
def vocab(catalog: Catalog) -> Path:
    """BERT's uncased vocabulary, which the plugin ships."""
    return locate_here(VOCAB, DATA, catalog)


@pytest.fixture(scope="session")
def make(catalog: Catalog) -> Callable[..., StepFunction]:
    """A step by name, its parameters checked and its files found as the kernel does it."""

    def by_name(name: str, **parameters: object) -> StepFunction:
        provider = catalog.steps.find(name).provider
        found = resolve_options(f"step {name!r}", provider.parameters, parameters)
        return provider.make(**locate_options(found, provider.parameters, DATA, catalog))

    return by_name


@pytest.fixture(scope="session")
def open_data(catalog: Catalog) -> Callable[..., DataSet]:
    """A data set by its kind, from the folder of the small ones unless ``root`` says otherwise."""

    def by_kind(kind: str, count: int | None = None, **options: object) -> DataSet:
        provider = catalog.datasets.find(kind).provider
        if any(option.name == "root" for option in provider.options):
            options = {"root": str(DATA), **options}
        given = resolve_options(f"data set {kind!r}", provider.options, options)
        return provider.open(given, count, lambda source: locate_here(source, DATA, catalog))

    return by_kind


@pytest.fixture(scope="session")
def score(catalog: Catalog) -> Callable[..., Score]:
    """A metric by name on responses and labels."""

    def by_name(name: str, responses: Mapping[int, Any], label: Callable[[int], Any], **options: object) -> Score:
        provider = catalog.metrics.find(name).provider
        found = resolve_options(f"metric {name!r}", provider.options, options)
        return provider.score(responses, label, locate_options(found, provider.options, DATA, catalog))

    return by_name


def packaged(package: str) -> Path | None:
    """The folder of an installed package, which is not imported; None when it is not there."""
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


@pytest.fixture
def mlh(tmp_path: Path) -> Callable[..., str]:
    """``mlh(*words, expect=0, VARIABLE=value)``: the command in folders of its own; what it printed to stdout, or,
    when it is meant to fail, to stderr."""

    def run(*words: str, expect: int = 0, **variables: str) -> str:
        moved = {f"MLH_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG")}
        done = subprocess.run(
            [sys.executable, "-m", "mlharness", *words],
            env={**os.environ, **moved, **variables}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == expect, done.stderr
        return done.stderr if expect else done.stdout

    return run
