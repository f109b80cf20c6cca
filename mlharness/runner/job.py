"""What the parent hands to a runner on its standard input: one verb, the plan, and where to leave LoadGen's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlharness.plan import RunPlan

Verb = Literal["fetch", "inspect", "measure", "score"]


@dataclass(frozen=True)
class Calibration:
    """What a short run of the very executor showed, before LoadGen: median latency of a query, samples a second."""

    query_latency_ns: int
    samples_per_second: float


@dataclass(frozen=True)
class FetchJob:
    """Files to bring here: (source, checksum or None) each, relative to ``base``.

    ``allow_http``: the user allows plain http.
    """

    files: tuple[tuple[str, str | None], ...]
    base: str
    allow_http: bool = False


@dataclass(frozen=True)
class TraceJob:
    """A traced test: which levels, where the tracers' files go, and which queries are kept, see ``TraceRequest``."""

    levels: tuple[str, ...]
    folder: str
    every: int = 1
    first: int = 0


@dataclass(frozen=True)
class Job:
    """One runner's work.

    ``accuracy`` chooses LoadGen's mode; ``calibration`` is taken instead of a new one when given (trials of a rate
    search, retries); ``blocked`` are the plugins that the parent blocked; ``stall_timeout_s`` is how long the parent
    waits for a sign of life in any phase, None for each phase's own limit; ``outputs``, for *inspect*, is the ``.npz``
    file into which the model's outputs on the first ``samples`` of the data set are written; ``trace`` makes the test a
    traced one.
    """

    verb: Verb
    blocked: tuple[str, ...] = ()
    plan: RunPlan | None = None
    directory: str = ""
    accuracy: bool = False
    calibration: Calibration | None = None
    fetch: FetchJob | None = None
    stall_timeout_s: float | None = None
    outputs: str = ""
    samples: int = 0
    trace: TraceJob | None = None

    def need_plan(self) -> RunPlan:
        """The plan, for the verbs that cannot do without one."""
        assert self.plan is not None, f"the verb {self.verb!r} needs a plan"
        return self.plan


Message = Mapping[str, Any]
