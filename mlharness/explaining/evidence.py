"""The facts of a run on which a verdict stands, each read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlharness.analysis.loading import read_result
from mlharness.explaining.calls import Calls, Queries, read_calls, read_queries
from mlharness.explaining.host import Host, read_host
from mlharness.explaining.layers import Layers, read_layers
from mlharness.explaining.slices import NOTHING_KNOWN, Slices, read_slices
from mlharness.explaining.threads import Thread, read_threads
from mlharness.explaining.work import NO_ROOFLINE, NO_WORK, Roofline, read_roofline
from mlharness.trace.parquet import open_trace, spans_for

NOT_TRACED = "not traced"


@dataclass(frozen=True)
class Setup:
    """What was run, and where: ``cores`` are those that the run could use."""

    model: str
    framework: str
    device: str
    scenario: str
    instances: int
    threads: int
    batch_size: int
    max_wait_us: int
    cores: int


@dataclass(frozen=True)
class Figures:
    """LoadGen's figures of the measured run, which was not traced; None where it has none."""

    samples_per_s: float | None = None
    queries_per_s: float | None = None
    mean_latency_ns: float | None = None
    predict_ns: float | None = None
    """Of one call of the model, by the workers' own clocks."""
    harness_ns: float | None = None
    """mlharness's own time for one batch, also after its samples were completed."""


@dataclass(frozen=True)
class Evidence:
    """All of it. What was not recorded is None, or empty; ``missing`` says of each such level why.

    ``calls`` and ``queries`` are of the run that was traced least, ``watched`` of that in which ``slices`` and
    ``threads`` were recorded: with ``--leveled`` two runs, else one.
    """

    setup: Setup
    figures: Figures = field(default_factory=Figures)
    calls: Calls | None = None
    queries: Queries | None = None
    layers: Layers | None = None
    roofline: Roofline = NO_WORK
    watched: Calls | None = None
    slices: Slices = NOTHING_KNOWN
    threads: tuple[Thread, ...] = ()
    host: Host = field(default_factory=Host)
    slowdown_percent: float | None = None
    preprocess_ns: int = 0
    """How long loading and preprocessing the samples took, before the test: it stands in no figure."""
    missing: Mapping[str, str] = field(default_factory=dict)

    def lacks(self, level: str) -> str:
        """Why a level has nothing to tell; empty when it has."""
        return self.missing.get(level, "")


def read_evidence(run: Path, announce: Callable[[str], None] = lambda text: None, roofline: bool = True) -> Evidence:
    """The facts of a traced run. ``announce`` is told when something takes long: without ``roofline`` nothing does.

    Raises:
        UserError: it was not traced, or its files cannot be read.
    """
    result = read_result(run)
    with open_trace(run, "application") as database:
        calls, queries = read_calls(database), read_queries(database)
        preprocess = preprocessing(database)
    with open_trace(run, "framework") as database:
        layers = read_layers(database)
    with open_trace(run) as database:
        slices, threads, host = read_slices(database), read_threads(database), read_host(run, database)
        leveled = spans_for(run, "application") != spans_for(run, "")
        watched = read_calls(database) if leveled else calls
    trace = result["trace"] or {}
    return Evidence(
        setup=setup_of(result),
        figures=figures_of(result),
        calls=calls,
        queries=queries,
        layers=layers,
        roofline=read_roofline(run, announce) if roofline else NO_ROOFLINE,
        watched=watched,
        slices=slices,
        threads=threads,
        host=host,
        slowdown_percent=(trace.get("slowdown") or {}).get("percent"),
        preprocess_ns=preprocess,
        missing=missing_levels(trace.get("levels", {})),
    )


def setup_of(result: Mapping[str, Any]) -> Setup:
    """What was run."""
    framework = result["framework"]
    names = ("device", "instances", "threads", "batch_size", "max_wait_us")
    return Setup(
        model=result["model"]["name"],
        framework=framework["name"],
        scenario=result["scenario"],
        cores=result["system"].get("usable_cores") or 1,
        **{name: framework[name] for name in names},
    )


def figures_of(result: Mapping[str, Any]) -> Figures:
    """LoadGen's figures; none for a run without a performance test."""
    seconds, latency = result["duration_s"], result["latency_ns"]
    if not seconds or not latency:
        return Figures()
    harness, samples, queries = result["harness"], result["samples"], result["queries"]
    size = harness.get("samples_per_batch")
    if not size:
        return Figures(samples / seconds, queries / seconds, latency["mean"])
    each = 1e3 * size * (1 if result["scenario"] == "Offline" else queries / samples)  # Offline they are a sample's
    return Figures(
        samples / seconds, queries / seconds, latency["mean"],
        each * harness["predict_us_per_query"], each * harness["us_per_query"],
    )  # fmt: skip


def missing_levels(levels: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Why each level that has nothing to tell has not."""
    known = {
        name: "; ".join(about["reasons"]) or about["state"]
        for name, about in levels.items()
        if about["state"] != "recorded"
    }
    names = ("application", "model", "framework", "library", "system", "hardware")
    return {**{name: NOT_TRACED for name in names if name not in levels}, **known}


def preprocessing(database: Any) -> int:
    """Nanoseconds of the phases in which samples were loaded."""
    query = "SELECT coalesce(sum(duration_ns), 0) FROM spans WHERE kind = 'phase' AND name = 'samples'"
    (found,) = database.execute(query).fetchone()
    return int(found)
