"""The tracers of a traced run: opened, started, stopped, and asked for what they found.

A tracer's failure is a note about its level and never the run's end: the test goes on, and the other tracers with it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlharness.errors import PLUGIN_RAISES
from mlharness.plan import RunPlan
from mlharness.providers import Tracer, TraceRequest, TracerProvider
from mlharness.registrars import Catalog, Registered
from mlharness.runner.job import TraceJob
from mlharness.trace.clock import measure_offset
from mlharness.trace.spans import Spans

STATES = ("recorded", "missing", "broken")
"""``missing``: this machine, or this framework, cannot give it; ``broken``: the tracer failed. Both have a reason."""


@dataclass
class Source:
    """One tracer in a traced run."""

    name: str
    level: str
    plugin: str
    state: str = "recorded"
    reason: str = ""
    spans: int = 0
    readings: int = 0
    dropped: int = 0
    notes: list[str] = field(default_factory=list)
    tracer: Tracer | None = None

    def document(self) -> dict[str, Any]:
        """All but the tracer."""
        return {key: value for key, value in vars(self).items() if key != "tracer"}


class Tracing:
    """Every tracer that gives one of the levels asked for, on the runner's main thread."""

    def __init__(self, job: TraceJob, plan: RunPlan, catalog: Catalog) -> None:
        self._job, self._plan = job, plan
        self.folder = Path(job.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sources = [self._open(entry) for entry in suitable(catalog.tracers, job.levels, plan.framework.name)]
        self._before = measure_offset()

    def start(self) -> None:
        """Before the predictors are loaded."""
        self._each("start", lambda tracer: tracer.start())

    def begin(self) -> None:
        """Right before the test."""
        self._before = measure_offset()
        self._each("begin", lambda tracer: tracer.begin())

    def end(self) -> None:
        """Right after the test."""
        self._each("end", lambda tracer: tracer.end())

    def of_framework(self, plugin: str) -> Tracer | None:
        """The working tracer of the framework's own level, which its predictors are given."""
        for source in self.sources:
            if source.level == "framework" and source.plugin == plugin and source.state == "recorded":
                return source.tracer
        return None

    def collect(self, of_predictors: Iterable[Spans]) -> dict[str, Any]:
        """Write what was found to the folder, one file for each tracer; returns what the parent must know."""
        after = measure_offset()
        for number, spans in enumerate(of_predictors):
            source = self._named(getattr(spans, "source", "predictor"))
            with self._breaking(source, "close"):
                self._keep(source, [spans], f"predictor-{number}")
        for source in self._working():
            with self._breaking(source, "collect"):
                assert source.tracer is not None, "a working source has its tracer"
                found = source.tracer.collect()
                self._keep(source, [found] if isinstance(found, Spans) else list(found or ()), source.name)
        return {
            "sources": [source.document() for source in self.sources],
            "before": asdict(self._before),
            "after": asdict(after),
        }

    def _open(self, entry: Registered[TracerProvider]) -> Source:
        provider = entry.provider
        source = Source(provider.name, provider.level, entry.plugin)
        request = self._request(provider.name)
        with self._breaking(source, "open"):
            reason = provider.unavailable(request)
            if reason:
                source.state, source.reason = "missing", reason
            else:
                request.folder.mkdir(parents=True, exist_ok=True)
                source.tracer = provider.open(request)
        return source

    def _request(self, name: str) -> TraceRequest:
        plan = self._plan
        return TraceRequest(
            self._job.levels, self.folder / name, plan.framework.name, plan.framework.device, plan.framework.options,
            plan.host.instances, plan.host.threads, self._job.every, self._job.first,
        )  # fmt: skip

    def _keep(self, source: Source, found: Sequence[Spans], name: str) -> None:
        for number, spans in enumerate(found):
            spans.save(self.folder / (f"{name}-{number}.npz" if number else f"{name}.npz"))
            source.spans += len(spans)
            source.readings += spans.count_of_readings
            source.dropped += spans.dropped
            source.notes += [note for note in spans.notes if note not in source.notes]

    def _named(self, name: str) -> Source:
        """The source of spans that a predictor gave; one of its own where no tracer has that name."""
        found = next((source for source in self.sources if source.name == name), None)
        if found is None:
            found = Source(name, "framework", self._plan.framework.plugin)
            self.sources.append(found)
        return found

    def _working(self) -> Iterator[Source]:
        """Those that have a tracer which has not failed; a predictor's own spans come without one."""
        return (source for source in self.sources if source.state == "recorded" and source.tracer is not None)

    def _each(self, what: str, action: Callable[[Tracer], None]) -> None:
        for source in self._working():
            with self._breaking(source, what):
                assert source.tracer is not None, "a working source has its tracer"
                action(source.tracer)

    @contextmanager
    def _breaking(self, source: Source, what: str) -> Iterator[None]:
        """What the tracer raises breaks its level alone; the trace goes to runner.log."""
        try:
            yield
        except PLUGIN_RAISES as error:
            traceback.print_exception(error)
            source.state, source.reason = "broken", f"{source.name} failed in {what}: {type(error).__name__}: {error}"


def suitable(
    tracers: Iterable[Registered[TracerProvider]], levels: Sequence[str], framework: str
) -> list[Registered[TracerProvider]]:
    """Those that give one of the levels, on this framework."""
    return [
        entry for entry in tracers
        if entry.provider.level in levels and entry.provider.framework in ("", framework)
    ]  # fmt: skip
