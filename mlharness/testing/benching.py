"""Runs a manifest as ``mlh bench`` does: through LoadGen, in a runner of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlharness.bench import bench
from mlharness.choices import Choices
from mlharness.plugins import Plugins, build_manager
from mlharness.request import prepare
from mlharness.supervise import Watch
from mlharness.tracing import TraceWish, trace_run

SECONDS = 1.0
STORE = "builtin-store"
"""The plugin that would tell the user's store of a test's runs."""


def run_with_loadgen(
    manifest: str | Path, root: Path, *, plugins: Plugins | None = None, **choices: Any
) -> dict[str, Any]:
    """Benchmark a manifest and return the document of ``result.json``.

    The runner is a process of its own and sees only plugins that are installed.

    Args:
        manifest: a name or a path.
        root: where the run directory is made.
        plugins: those of this process, for observers; None means all that are installed, but the store.
        choices: what ``mlh bench`` would be given, as fields of :class:`mlharness.choices.Choices`. A run lasts
            :data:`SECONDS` unless ``duration_s`` says otherwise. ``trust=True`` is remembered in the user's data
            directory.

    Raises:
        UserError: the run could not begin.
    """
    asked = Choices(**{"duration_s": SECONDS, **choices})
    return bench(prepare(str(manifest), asked, plugins or build_manager(block=[STORE]), root))


def trace_with_loadgen(manifest: str | Path, root: Path, *levels: str, **choices: Any) -> dict[str, Any]:
    """Trace a manifest without measuring it first, and return what the result would say under ``trace``.

    Args:
        manifest: a name or a path.
        root: an empty folder, in which ``spans.parquet`` is written.
        levels: names of :data:`mlharness.trace.levels.LEVELS`.
        choices: as of :func:`run_with_loadgen`.

    Raises:
        UserError: the run could not begin.
    """
    asked = Choices(**{"duration_s": SECONDS, **choices})
    plan = prepare(str(manifest), asked, build_manager(block=[STORE]), root).plan_without_fetching()
    return trace_run(plan, TraceWish(levels), root, Watch(), root / "runner.log")
