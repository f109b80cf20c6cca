"""A1: which model this is, how large, and how fast in this run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlharness.analysis.table import Column, Table
from mlharness.analysis.traced import Traced

_COLUMNS = (Column("property"), Column("value"), Column("unit"))
_ROW = tuple[str, Any, str]


def model_information(traced: Traced) -> Table:
    """A1. The result's own figures, and the latency of a call of the model for each batch size of the trace."""
    return Table(_COLUMNS, [*_model(traced), *_speed(traced), *_calls(traced)], notes=_notes(traced))


def _model(traced: Traced) -> Iterator[_ROW]:
    model, framework = traced.result["model"], traced.result["framework"]
    yield "model", f"{model['name']} {model['version']}", ""
    yield "weights", model["weights"], ""
    yield "framework", " ".join(part for part in (framework["name"], framework["version"]) if part), ""
    yield "device", framework["device"], ""
    yield "instances", framework["instances"], "count"
    yield "threads", framework["threads"], "count"
    yield "batch_size", framework["batch_size"], "count"
    yield "parameters", model["parameters"], "count"
    yield "multiply_adds", model["multiply_adds"], "count"


def _speed(traced: Traced) -> Iterator[_ROW]:
    result = traced.result
    metric, latencies = result["metric"], result["latency_ns"] or {}
    yield "scenario", result["scenario"], ""
    if metric:
        yield metric["name"], metric["value"], metric["unit"]
    for name in ("mean", "p50", "p90", "p99"):
        yield f"latency_{name}", latencies.get(name), "ns"
    seconds = result["duration_s"]
    yield "throughput", result["samples"] / seconds if seconds and result["samples"] else None, "samples/s"


def _calls(traced: Traced) -> Iterator[_ROW]:
    """From the traced run, which tracing slowed; the multiplications and additions are those of one sample."""
    adds = traced.result["model"]["multiply_adds"]
    for size in sorted(traced.batches, key=lambda size: size.batch):
        yield f"predict_latency_batch_{size.batch}", size.latency_ns, "ns"
        yield f"predict_throughput_batch_{size.batch}", 1e9 * size.batch / size.latency_ns, "samples/s"
        if adds:
            yield f"predict_flops_batch_{size.batch}", 2e9 * adds * size.batch / size.latency_ns, "FLOP/s"


def _notes(traced: Traced) -> list[str]:
    notes = ["predict_*: calls of the model in the traced run, trimmed means"] if traced.batches else []
    slowdown = (traced.result.get("trace") or {}).get("slowdown")
    if slowdown:
        percent = slowdown["percent"]
        notes.append(f"with the tracers the test was {abs(percent):.1f} % {'slower' if percent >= 0 else 'faster'}")
    return notes
