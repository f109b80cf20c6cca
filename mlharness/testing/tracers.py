"""What every tracer plugin must hold to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from unittest import SkipTest

import numpy as np

from mlharness.providers import Tracer, TraceRequest, TracerProvider
from mlharness.testing.framework_subject import FrameworkSubject
from mlharness.testing.recording import PREDICTORS, Recording, collected, record
from mlharness.testing.subject import resolved
from mlharness.testing.verdict import raised_by, require
from mlharness.trace.levels import FRAMEWORK, LEVELS, MODEL
from mlharness.trace.spans import Spans
from mlharness.trace.tree import with_parents
from mlharness.tracing import placed

_TRACER = "mlharness.providers.Tracer"
_PROVIDER = "mlharness.providers.TracerProvider"
_SPANS = "mlharness.trace.spans.Spans"
SLACK_NS = 5_000_000
"""By how much a span may reach beyond the test: a counter is read a moment before and after it."""
PLACED = 0.99
"""The least share of operators that must stand under a call of the model."""


class TracerConformance(FrameworkSubject):
    """Checks one tracer. Set ``tracer``; for one of a framework also ``framework``, and say how its model is made.

    ``calls`` are made of the model by each of two predictors. ``work()`` is what a tracer that belongs to no framework
    watches. Set ``only_once`` where the source can be started but once in a process: then the checks that start it
    again are skipped.
    """

    tracer: str = ""
    calls: int = 20
    only_once: bool = False
    _recorded: ClassVar[dict[type, Recording]] = {}

    def work(self) -> Any:
        """Something that a tracer of the system or the hardware can see: some milliseconds of a core."""
        return sum(float(np.sqrt(np.arange(100_000.0)).sum()) for _ in range(10))

    def test_it_is_registered_and_described(self) -> None:
        """Its framework is registered, and ``unavailable`` gives text: one short sentence, or nothing."""
        provider = self.tracer_provider()
        if provider.framework:
            self.provider()
        with TemporaryDirectory() as folder:
            reason: Any = provider.unavailable(self.request(Path(folder)))
        require(
            isinstance(reason, str) and "\n" not in reason,
            f"tracer {self.tracer!r}: unavailable() gives {reason!r}.",
            "unavailable(request) says in one line why, and gives empty text where the source can be read",
            _PROVIDER,
        )

    def test_a_test_that_never_came_is_survived(self, tmp_path: Path) -> None:
        """Without LoadGen's test, and with one in which nothing ran, ``collect`` gives spans or nothing."""
        self._can_start_again()
        for verbs in (("start",), ("start", "begin", "end")):
            tracer = self._opened(tmp_path / "-".join(verbs))
            for verb in verbs:
                self._ask(tracer, verb)
            self._collect(tracer)

    def test_it_can_be_asked_twice(self, tmp_path: Path) -> None:
        """``collect`` may be called again; it gives the same, or nothing more."""
        self._can_start_again()
        tracer = self._opened(tmp_path)
        for verb in ("start", "begin", "end"):
            self._ask(tracer, verb)
        self._collect(tracer)
        self._collect(tracer)

    def test_something_is_recorded(self) -> None:
        """There are spans or readings."""
        found = self.recorded()
        require(
            any(len(part) or part.count_of_readings for part in found.spans),
            f"tracer {self.tracer!r}: nothing was recorded of {self.calls} calls by each of two threads.",
            "a source that gives nothing says why: unavailable(request)",
            _PROVIDER,
        )

    def test_spans_lie_within_the_test(self) -> None:
        """What ran before ``begin`` and after ``end`` is not part of it, and nothing lasts less than no time."""
        found = self.recorded()
        table = found.table()
        first, last = found.begun - SLACK_NS, found.ended + SLACK_NS
        outside = np.flatnonzero((table.start < first) | (table.end > last))
        if len(outside):
            name, apart = table.text("name", int(outside[0])), (int(table.start[outside[0]]) - found.begun) / 1e6
            require(
                False,
                f"tracer {self.tracer!r}: {len(outside)} of {len(table)} spans lie outside the test, as {name!r}, "
                f"which starts {apart:.1f} ms after its beginning.",
                "spans are of LoadGen's test, between begin and end, on the clock that Spans names",
                _TRACER,
            )
        require(
            bool((table.duration >= 0).all()),
            f"tracer {self.tracer!r}: a span lasts {int(table.duration.min(initial=0))} ns.",
            "a duration is no less than 0 ns",
            _SPANS,
        )

    def test_spans_are_described(self) -> None:
        """Each has a level and a name, and attributes are a JSON object."""
        table = self.recorded().table()
        where, what = _SPANS, f"tracer {self.tracer!r}"
        levels = (table.level >= 0) & (table.level < len(LEVELS))
        require(bool(levels.all()), f"{what}: a span has a level that is none.", "a level is a place in LEVELS", where)
        names = {table.strings[code] for code in np.unique(table.name)}
        require("" not in names, f"{what}: a span has no name.", "every span has a name", where)
        for code in np.unique(table.attributes):
            text = table.strings[code]
            require(
                not text or _is_object(text),
                f"{what}: attributes are {text[:80]!r}.",
                "attributes are a JSON object, or empty",
                where,
            )

    def test_operators_lie_within_calls(self) -> None:
        """Operators stand under a call of the model, and each call has some."""
        found = self.recorded()
        if self.tracer_provider().level != LEVELS[FRAMEWORK]:
            raise SkipTest("only operators must stand under a call of the model")
        table = with_parents(found.with_calls())
        share = placed(table).get(LEVELS[FRAMEWORK], 0.0)
        require(
            share >= PLACED,
            f"tracer {self.tracer!r}: {share:.1%} of its operators lie within a call of the model.",
            "operators have the times of the call that they belong to, and the id of its thread where that is known",
            _SPANS,
        )
        called = np.unique(table.parent[table.level == FRAMEWORK])
        count = int((table.level[called[called > 0] - 1] == MODEL).sum())
        require(
            count == self.calls * PREDICTORS,
            f"tracer {self.tracer!r}: {count} of {self.calls * PREDICTORS} calls have operators.",
            "what cannot be recorded is counted in Spans.dropped",
            _SPANS,
        )

    def tracer_provider(self) -> TracerProvider:
        """The tracer as its plugin registers it."""
        plugins = self.plugins()
        return self.find(plugins, plugins.catalog.tracers, self.tracer).provider

    def request(self, folder: Path) -> TraceRequest:
        """What the runner would tell it, for all levels."""
        options = (
            resolved(f"framework {self.framework!r}", self.provider().options, self.options) if self.framework else {}
        )
        return TraceRequest(LEVELS, folder, self.framework or "null", self.device, options, PREDICTORS, 1)

    def recorded(self) -> Recording:
        """One recording, made once for all checks of a suite. Raises SkipTest where there is no such source."""
        found = self._recorded.get(type(self))
        if found is None:
            with TemporaryDirectory() as folder:
                found = self._recorded[type(self)] = self._record(Path(folder))
        return found

    def _record(self, folder: Path) -> Recording:
        tracer = self._opened(folder / "trace")
        model = self.make_model(folder) if self.framework else None
        return record(tracer, lambda watching: _Work(self, model, watching), self.calls)

    def _opened(self, folder: Path) -> Tracer:
        provider, request = self.tracer_provider(), self.request(folder)
        reason = provider.unavailable(request)
        if reason:
            raise SkipTest(reason)
        folder.mkdir(parents=True, exist_ok=True)
        return provider.open(request)

    def _can_start_again(self) -> None:
        if self.only_once:
            raise SkipTest("the source can be started only once in a process")

    def _ask(self, tracer: Tracer, verb: str, function: Callable[[], Any] | None = None) -> None:
        error = raised_by(function or getattr(tracer, verb))
        require(
            error is None,
            f"tracer {self.tracer!r}: {verb}() raises {type(error).__name__} where nothing ran: {error}.",
            "a test that never came, or in which nothing ran, is no failure",
            _TRACER,
        )

    def _collect(self, tracer: Tracer) -> None:
        found: list[Any] = []
        self._ask(tracer, "collect", lambda: found.extend(collected(tracer)))
        require(
            all(isinstance(part, Spans) for part in found),
            f"tracer {self.tracer!r}: collect() gives {[type(part).__name__ for part in found]}.",
            "collect() gives Spans, or a sequence of them",
            _TRACER,
        )


class _Work:
    """A predictor that is watched, or work that needs none; made, run and closed on one thread."""

    def __init__(self, suite: TracerConformance, model: Any, tracer: Tracer) -> None:
        self._suite = suite
        self._predictor: Any = None
        if model is not None:
            provider = suite.provider()
            options = dict(suite.request(Path()).options)
            if provider.threads and options.get(provider.threads) is None:
                options[provider.threads] = 1
            own = tracer if suite.tracer_provider().level == LEVELS[FRAMEWORK] else None
            self._predictor = provider.load(model, suite.device, options, own)
            self._batch = suite.make_batch(self._predictor.inputs, suite.sizes(self._predictor)[0])

    def run(self) -> Any:
        """One call of the model."""
        return self._suite.work() if self._predictor is None else self._predictor.predict(self._batch)

    def close(self) -> Sequence[Spans]:
        """What the predictor gives."""
        return () if self._predictor is None else self._predictor.close()


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
