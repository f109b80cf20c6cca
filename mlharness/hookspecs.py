"""Every hook of mlharness. Bodies are empty; the signature and the docstring are the contract.

Providers (``mlh_register_*``) are called once per process, after all plugins are loaded, on the main thread, in the
parent and again in each runner. They must import no framework. One that raises is reported by ``mlh plugins`` and
all that its plugin provides is left out.

Observers (``mlh_on_*``) are called in the parent only, on the main thread, never while a query is timed in their
process. They own nothing of what they are given. One that raises is noted in the result's ``warnings``, and the run
goes on.
"""

from __future__ import annotations

import pluggy

from mlharness.payloads import PhaseStarted, Progress, RunFinished, RunStarted
from mlharness.registrars import (
    DataSetRegistrar,
    FrameworkRegistrar,
    ManifestRegistrar,
    MetricRegistrar,
    SourceRegistrar,
    StepRegistrar,
    TracerRegistrar,
)

HOOK_API = 1
"""The version of these hooks. A plugin that needs a newer one sets ``MLHARNESS_HOOK_API`` in its module."""

hookspec = pluggy.HookspecMarker("mlharness")


@hookspec
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    """Provide machine-learning frameworks: call ``registrar.framework(...)`` for each."""


@hookspec
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """Provide kinds of data sets: call ``registrar.dataset(...)`` for each."""


@hookspec
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """Provide pre- and postprocessing steps: call ``registrar.step(...)`` for each."""


@hookspec
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    """Provide accuracy metrics: call ``registrar.metric(...)`` for each."""


@hookspec
def mlh_register_sources(registrar: SourceRegistrar) -> None:
    """Provide URL schemes that model and data files come from: call ``registrar.source(...)`` for each."""


@hookspec
def mlh_register_tracers(registrar: TracerRegistrar) -> None:
    """Provide sources of spans for ``--trace``: call ``registrar.tracer(...)`` for each."""


@hookspec
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    """Provide a folder of manifests: call ``registrar.folder(path)``."""


@hookspec
def mlh_on_run_started(run: RunStarted) -> None:
    """Once per run, when its directory and plan exist and before the first runner starts."""


@hookspec
def mlh_on_phase_started(phase: PhaseStarted) -> None:
    """Each time a runner enters a phase; a run with several runners repeats phases."""


@hookspec
def mlh_on_progress(progress: Progress) -> None:
    """At most once a second in a phase that counts something."""


@hookspec
def mlh_on_run_finished(finished: RunFinished) -> None:
    """Once per run, after ``result.json`` is complete, whatever the status."""
