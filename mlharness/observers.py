"""Tells observers what happens in a run; what they raise becomes a warning of the result, never the run's end."""

from __future__ import annotations

from typing import Any

import pluggy

from mlharness.errors import PLUGIN_RAISES
from mlharness.interrupts import interrupted
from mlharness.payloads import PhaseStarted, Progress
from mlharness.supervise import Watch


class Observers:
    """The ``mlh_on_*`` hooks of the loaded plugins, each isolated from the run and from the others."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self.warnings: list[str] = []

    def tell(self, hook: str, payload: Any) -> None:
        """Call every observer of a hook, the last registered first, as pluggy does."""
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            try:
                implementation.function(*[payload for _ in implementation.argnames])
            except PLUGIN_RAISES as error:  # isolation is the point: noted here, shown in the result
                if isinstance(error, KeyboardInterrupt) and interrupted():
                    raise  # the user's, who did not want to wait for the observer
                plugin = implementation.plugin_name.partition(":")[0]
                warning = f"observer {plugin} failed in {hook}: {type(error).__name__}: {error}"
                if warning not in self.warnings:
                    self.warnings.append(warning)

    def watch(self, run_id: str, prefix: str = "") -> Watch:
        """Hands a runner's phases and progress on to the observers; ``prefix`` comes before each phase's detail."""

        def phase(name: str, detail: str, expected_s: float | None) -> None:
            self.tell(
                "mlh_on_phase_started", PhaseStarted(run_id, name, f"{prefix}{detail}".removesuffix(": "), expected_s)
            )

        def progress(name: str, done: int, total: int | None, elapsed_s: float) -> None:
            self.tell("mlh_on_progress", Progress(run_id, name, done, total, elapsed_s))

        return Watch(phase, progress)
