"""Runs that never ran: directories whose every time is known, for the tests of what reads a trace.

:func:`make_run` lays a network's layers end to end for each query, by the product's own means where there are any, so
that every figure of an analysis, an export or an explanation can be checked by hand. All times are nanoseconds of the
monotonic clock; a run begins at :data:`START`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlharness import rundir
from mlharness.loadgen_log import PERCENTILES
from mlharness.plan import RunPlan, Scenario
from mlharness.result import Findings, make_result
from mlharness.trace.levels import FRAMEWORK, LEVELS, LIBRARY, SYSTEM
from mlharness.trace.parquet import SPANS, TELEMETRY, write_readings, write_spans
from mlharness.trace.queries import Batch, Query, Recorded, query_spans
from mlharness.trace.spans import COLUMNS, NO_PARENT, Spans, SpanTable, concatenate
from mlharness.trace.tree import with_parents
from mlharness.tracing import describe_levels, placed, with_queries
from tests.unit.runner.making import a_plan
from tests.unit.runner.measurements import a_measured

RUN_ID = "20260101T000000Z-tiny-SingleStream-abcdef"
START = 1_000_000_000
MEASURE = 100_000_000
"""From the start of the run to that of the test; loading takes half of it, warming up the rest."""
GATHER, EDGE, POSTPROCESS, COMPLETE = 5_000, 50_000, 20_000, 10_000
"""Parts of a batch; ``EDGE`` stands before the first layer and after the last, in the call of the model."""
FIRST_THREAD, ISSUING_THREAD = 1001, 1000
INSET = 1_000
READING_EVERY = 1_000_000
CPU = {"model": "Test CPU", "usable_cores": [0, 1]}
HOST = {"host": "testhost", "cpu": CPU, "memory_bytes": 8 << 30, "os": "Test OS", "virtualised": False}


@dataclass(frozen=True)
class Primitive:
    """A primitive of a layer: its kind, implementation, duration, oneDNN's problem, operations and bytes."""

    kind: str
    name: str
    ns: int
    shape: str = ""
    flops: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Layer:
    """A layer: shapes as ``[dtype, dims]``; its primitives follow each other from its start.

    ``inner``: the type of an operator inside, under which the primitives then stand; shorter by :data:`INSET` at its
    beginning and at its end.
    """

    name: str
    kind: str
    ns: int
    inputs: Sequence[tuple[str, Sequence[int]]] = ()
    outputs: Sequence[tuple[str, Sequence[int]]] = ()
    memory_bytes: int | None = None
    parameter_bytes: int | None = None
    primitives: Sequence[Primitive] = ()
    inner: str = ""


@dataclass(frozen=True)
class Delay:
    """What one query takes longer, in nanoseconds; ``layers`` by the name of the layer.

    ``preempted`` is a part of its predict call during which its thread did not run: it comes before the first layer.
    """

    scheduled: int = 0
    gather: int = 0
    predict: int = 0
    preempted: int = 0
    layers: Mapping[str, int] = field(default_factory=dict)
    postprocess: int = 0
    complete: int = 0


def floats(*dims: int) -> tuple[str, tuple[int, ...]]:
    """A float32 tensor of this shape."""
    return "float32", dims


IMAGE, PLANES, POOLED, SCORES = floats(1, 3, 32, 32), floats(1, 16, 32, 32), floats(1, 16), floats(1, 10)
NETWORK = (
    Layer(
        "conv1", "Conv", 400_000, (IMAGE, floats(16, 3, 3, 3), floats(16)), (PLANES,), 65_536, 1_792,
        (Primitive("reorder", "jit:uni", 50_000, "1x3x32x32", 0, 24_576),
         Primitive("convolution", "brgconv:avx2", 300_000, "mb1_ic3oc16_ih32oh32kh3sh1dh0ph1_iw32ow32kw3sw1dw0pw1",
                   884_736, 79_616)),
        inner="Convolution",
    ),
    Layer("relu1", "Relu", 100_000, (PLANES,), (PLANES,), 65_536, 0,
          (Primitive("eltwise", "jit:avx2", 80_000, "1x16x32x32", 16_384, 131_072),)),
    Layer(
        "conv2", "Conv", 300_000, (PLANES, floats(16, 16, 3, 3), floats(16)), (PLANES,), 65_536, 9_280,
        (Primitive("convolution", "brgconv:avx2", 290_000, "mb1_ic16oc16_ih32oh32kh3sh1dh0ph1_iw32ow32kw3sw1dw0pw1",
                   4_718_592, 140_352),),
    ),
    Layer("pool", "GlobalAveragePool", 50_000, (PLANES,), (POOLED,), 64, 0),
    Layer("fc", "Gemm", 50_000, (POOLED, floats(16, 10), floats(10)), (SCORES,), 40, 680,
          (Primitive("matmul", "brg:avx2", 40_000, "1x16:16x10", 320, 744),)),
)  # fmt: skip
"""900 us: convolutions 700, the rest 200; 690 of them, and 70 of the rest, are primitives'."""


def make_run(
    folder: Path,
    *,
    queries: int = 5,
    samples: int = 1,
    batch: int = 1,
    instances: int = 1,
    scenario: Scenario = "SingleStream",
    interval_ns: int | None = None,
    layers: Sequence[Layer] = NETWORK,
    delays: Mapping[int, Delay] | None = None,
    levels: Sequence[str] = LEVELS,
    framework: str = "null",
    device: str = "cpu",
    readings: Sequence[tuple[str, str, int, float]] | None = None,
    missing: Mapping[str, str] | None = None,
    times_over: int = 1,
    plan: RunPlan | None = None,
    change: Callable[[dict[str, Any]], None] = lambda result: None,
) -> Path:
    """Write a run directory: ``result.json``, ``plan.json``, ``system.json``, ``spans.parquet``, ``telemetry.parquet``.

    Args:
        folder: where the directory is made, under the name :data:`RUN_ID` with the scenario in it.
        queries: how many there are, each of ``samples``.
        batch: samples of one call of the model.
        instances: threads that take batches, each the next that is free; their ids count from ``FIRST_THREAD``.
        interval_ns: between queries; None: each is issued when the one before is completed.
        layers: of the network, in order.
        delays: what single queries take longer, by their number.
        levels: those of the trace, from the outermost on.
        framework: its name in the result, and the beginning of its tracers' names.
        device: on ``cuda:0`` each primitive is a launch, and a kernel that it caused, on the system level.
        readings: name, unit, time and value; None: power and clock each millisecond of the test.
        missing: why a level has no spans, as a tracer would have said.
        times_over: how often all spans are written, see :func:`repeated`; the result knows of them once.
        plan: instead of a small one.
        change: may change the result before it is written.

    Returns:
        The run directory.
    """
    times = _Timeline(layers, delays or {}, instances, batch)
    recorded = Recorded(times.queries(queries, samples, interval_ns), 0)
    end = max(query.end for query in recorded.queries) + COMPLETE
    phases = [("load", START), ("warm up", START + MEASURE // 2), ("measure", START + MEASURE)]
    parts = [query_spans(recorded, phases, end), *_Tracer(times, framework, device).spans(recorded)]
    table = _table(parts, levels)
    table = table if times_over == 1 else repeated(table, times_over, end - START)
    directory = folder / RUN_ID.replace("SingleStream", scenario)
    directory.mkdir(parents=True)
    write_spans(directory / SPANS, table)
    found = _readings(end) if readings is None else readings
    sources = [_source(level, why) for level, why in (missing or {}).items()]
    if found and "hardware" in levels:
        write_readings(directory / TELEMETRY, (("host", *reading) for reading in found))
        sources.append(_source("hardware", "", len(found)))
    about = {
        "levels": {}, "failure": "", "dropped": 0, "counts": table.counts(), "placed": placed(table),
        "queries": queries, "clock": None, "sources": sources,
        "slowdown": {"figure": "p50", "untraced": 1_000_000.0, "traced": 1_100_000.0, "percent": 10.0},
    }  # fmt: skip
    about["levels"] = describe_levels(levels, about, framework)
    plan = plan or _plan(scenario, framework, device, instances, batch)
    _write_documents(directory, plan, recorded, about, change)
    return directory


def _table(parts: Sequence[Spans], levels: Sequence[str]) -> SpanTable:
    """The tree of all spans of these levels, which are left out from the inside."""
    assert tuple(levels) == LEVELS[: len(levels)]
    table = with_queries(with_parents(concatenate([part.table() for part in parts])))
    return table.take(np.flatnonzero(table.level < len(levels)))


def repeated(table: SpanTable, times: int, period_ns: int) -> SpanTable:
    """The same spans so many times, one after the other, each time with queries of their own."""
    number = np.repeat(np.arange(times), len(table))
    columns: dict[str, Any] = {name: np.tile(getattr(table, name), times) for name in COLUMNS}
    columns["id"] = np.arange(1, times * len(table) + 1)
    columns["parent"] = np.where(columns["parent"] > 0, columns["parent"] + number * len(table), columns["parent"])
    columns["start"] += number * period_ns
    queries = table.query.max() + 1
    columns["query"] = np.where(columns["query"] >= 0, columns["query"] + number * queries, -1)
    return replace(table, **columns)


class _Timeline:
    """When what happens: each batch goes to the instance that is free first."""

    def __init__(self, layers: Sequence[Layer], delays: Mapping[int, Delay], instances: int, batch: int) -> None:
        self.layers, self._delays, self._batch = layers, delays, batch
        self._free = [START + MEASURE] * instances

    def delay(self, query: int) -> Delay:
        """What the query takes longer."""
        return self._delays.get(query, Delay())

    def queries(self, count: int, samples: int, interval_ns: int | None) -> list[Query]:
        """The queries, with their batches."""
        found: list[Query] = []
        for number in range(count):
            if interval_ns is None:
                scheduled = found[-1].end if found else START + MEASURE
            else:
                scheduled = START + MEASURE + number * interval_ns
            issued = scheduled + self.delay(number).scheduled
            query = Query(number, scheduled, issued, ISSUING_THREAD, samples)
            for first in range(0, samples, self._batch):
                ids = range(number * samples + first, number * samples + min(first + self._batch, samples))
                query.batches.append(self._take(query, ids))
            found.append(query)
        return found

    def _take(self, query: Query, ids: Sequence[int]) -> Batch:
        instance = self._free.index(min(self._free))
        delay = self.delay(query.number)
        start = max(self._free[instance], query.issued)
        predict = start + GATHER + delay.gather
        predicted = predict + 2 * EDGE + delay.preempted + delay.predict + sum(
            layer.ns + delay.layers.get(layer.name, 0) for layer in self.layers
        )  # fmt: skip
        completing = predicted + POSTPROCESS + delay.postprocess
        completed = completing + COMPLETE + delay.complete
        self._free[instance] = completed
        return Batch(instance, start, predict, predicted, completing, completed, FIRST_THREAD + instance, ids, ids)


class _Tracer:
    """The spans below the call of the model."""

    def __init__(self, times: _Timeline, framework: str, device: str) -> None:
        self._times, self._cuda = times, device.startswith("cuda")
        self._operators = Spans(f"{framework}-profile")
        self._primitives = Spans("cupti" if self._cuda else f"{framework}-onednn")
        self._slices = Spans("linux-switches")
        self._launched = 0

    def spans(self, recorded: Recorded) -> list[Spans]:
        """Of all calls."""
        for query in recorded.queries:
            for batch in query.batches:
                self._call(batch, self._times.delay(query.number))
        return [self._operators, self._primitives, self._slices]

    def _call(self, batch: Batch, delay: Delay) -> None:
        start = batch.predict + EDGE + delay.preempted
        around = EDGE // 2
        self._operators.add(FRAMEWORK, "model_run", start - around, batch.predicted - EDGE - start + 2 * around,
                            kind="call", thread=batch.thread)  # fmt: skip
        for index, layer in enumerate(self._times.layers):
            length = layer.ns + delay.layers.get(layer.name, 0)
            self._layer(layer, index, start, length, batch.thread)
            start += length
        paused = batch.predict + EDGE // 4
        self._slice("running", batch.start, paused - batch.start, batch.thread)
        if delay.preempted:
            self._slice("preempted", paused, delay.preempted, batch.thread)
        resumed = paused + delay.preempted
        self._slice("running", resumed, batch.completed - resumed, batch.thread)

    def _layer(self, layer: Layer, index: int, start: int, length: int, thread: int) -> None:
        facts = {"index": index, "inputs": layer.inputs, "outputs": layer.outputs,
                 "memory_bytes": layer.memory_bytes, "parameter_bytes": layer.parameter_bytes}  # fmt: skip
        known = {name: fact for name, fact in facts.items() if fact is not None}
        self._operators.add(FRAMEWORK, layer.name, start, length, kind=layer.kind, thread=thread, attributes=known)
        if layer.inner:
            self._operators.add(FRAMEWORK, f"{layer.name}/{layer.inner}", start + INSET, length - 2 * INSET,
                                kind=layer.inner, thread=thread)  # fmt: skip
        for primitive in layer.primitives:
            self._primitive(primitive, start, thread)
            start += primitive.ns

    def _primitive(self, primitive: Primitive, start: int, thread: int) -> None:
        facts = {"shape": primitive.shape, "flops": primitive.flops, "bytes": primitive.bytes, "estimated": True}
        known = {name: fact for name, fact in facts.items() if fact not in (None, "")}
        if not self._cuda:
            self._primitives.add(LIBRARY, primitive.name, start, primitive.ns, kind=primitive.kind, thread=thread,
                                 attributes=known)  # fmt: skip
            return
        self._launched += 1
        self._primitives.add(SYSTEM, "cudaLaunchKernel", start, primitive.ns // 2, kind="launch", thread=thread,
                             correlation=self._launched)  # fmt: skip
        self._primitives.add(SYSTEM, primitive.name, start, primitive.ns, kind="kernel", caused_by=self._launched,
                             attributes=known)  # fmt: skip

    def _slice(self, kind: str, start: int, length: int, thread: int) -> None:
        self._slices.add(SYSTEM, kind, start, length, kind=kind, thread=thread, parent=NO_PARENT)


def _readings(end: int) -> list[tuple[str, str, int, float]]:
    moments = range(START + MEASURE, end, READING_EVERY)
    return [
        (name, unit, moment, value)
        for moment in moments
        for name, unit, value in (("power", "W", 50.0), ("cpu0.clock", "MHz", 3000.0))
    ]


def _source(level: str, why: str, readings: int = 0) -> dict[str, Any]:
    state = "missing" if why else "recorded"
    return {"name": f"{level}-tracer", "level": level, "plugin": "test", "state": state, "reason": why,
            "spans": 0, "readings": readings, "dropped": 0, "notes": []}  # fmt: skip


def _plan(scenario: Scenario, framework: str, device: str, instances: int, batch: int) -> RunPlan:
    plan = a_plan(test={"scenario": scenario}, framework={"name": framework, "device": device}, batching=(batch, 0))
    return replace(plan, host=replace(plan.host, instances=instances))


def _write_documents(
    directory: Path,
    plan: RunPlan,
    recorded: Recorded,
    about: dict[str, Any],
    change: Callable[[dict[str, Any]], None],
) -> None:
    """The result is such as the traced queries would have given untraced."""
    batches = [batch for query in recorded.queries for batch in query.batches]
    latencies = sorted(query.end - query.scheduled for query in recorded.queries for _ in range(query.samples))
    seconds = (max(batch.completed for batch in batches) - START - MEASURE) / 1e9
    ids = sum(len(batch.ids) for batch in batches)
    measured = a_measured(directory, **_figures(latencies, len(recorded.queries), ids / seconds))
    cost = {
        "predict_s": sum(batch.predicted - batch.predict for batch in batches) / 1e9,
        "postprocess_s": sum(batch.completing - batch.predicted for batch in batches) / 1e9,
        "harness_s": sum(batch.predict - batch.start for batch in batches) / 1e9,
        "after_s": 0.0, "batches": len(batches), "samples": ids,
    }  # fmt: skip
    measured = replace(measured, measured={**measured.measured, "duration_s": seconds, "cost": cost})
    findings = Findings(performance=measured, trace=about, null_floor_us=3.5)
    when = "2026-01-01T00:00:00+00:00"
    result = json.loads(json.dumps(make_result(plan, directory, findings, HOST, when, when)))
    change(result)
    rundir.write_json(directory / rundir.PLAN, plan.document())
    rundir.write_json(directory / rundir.SYSTEM, HOST)
    rundir.write_json(directory / rundir.RESULT, result)


def _figures(latencies: Sequence[int], queries: int, rate: float) -> dict[str, Any]:
    """LoadGen's keys; of percentiles the nearest rank."""
    ranked = {
        f"result_{text}_percentile_latency_ns": latencies[int(float(text) / 100 * len(latencies))]
        for text in PERCENTILES.values()
    }
    return {
        "result_mean_latency_ns": sum(latencies) / len(latencies),
        "result_min_latency_ns": latencies[0],
        "result_max_latency_ns": latencies[-1],
        "result_query_count": queries,
        "early_stopping_latency_ss": latencies[-1],
        "result_completed_samples_per_sec": rate,
        "result_samples_per_second": rate,
        **ranked,
    }
