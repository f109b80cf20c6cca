"""The layers and kernels of traced runs on both sides, brought together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlharness.analysis.loading import trace_of
from mlharness.analysis.traced import Kernel, Traced
from mlharness.analysis.traced import Layer as TracedLayer
from mlharness.comparing.layers import Layer, align, explain, numbered
from mlharness.comparing.runs import Run
from mlharness.trace.parquet import SPANS

REST = "(outside of all layers)"
"""Stands for what a call of the model takes beside its layers, so that a difference there is not overlooked."""
PARTS = ("layers", "kernels")
_NUMBER = re.compile(r"\d+")


def compare_traces(a: Sequence[Run], b: Sequence[Run]) -> dict[str, Any] | None:
    """``layers`` and ``kernels``, each as :func:`~mlharness.comparing.layers.explain` gives them, or None.

    ``runs`` are the traced runs of each side, of which the means are taken, and ``batch`` the samples of a call.
    None when a side has no traced run.

    Raises:
        UserError: a trace cannot be read.
    """
    sides = [[trace_of(run.directory) for run in runs if run.directory and is_traced(run)] for runs in (a, b)]
    if not all(sides):
        return None
    found: dict[str, Any] = {
        "runs": [len(side) for side in sides],
        "batch": [side[0].batches[0].batch if side[0].batches else None for side in sides],
        "missing": missing(sides),
    }
    for part in PARTS:
        ones, others = ([parts_of(traced)[part] for traced in side] for side in sides)
        found[part] = explain(align(means(ones), means(others))) if all([*ones, *others]) else None
    return found


def is_traced(run: Run) -> bool:
    """True when its directory has spans."""
    return run.directory is not None and (run.directory / SPANS).is_file()


def parts_of(traced: Traced) -> Mapping[str, list[Layer]]:
    """Layers and kernels of one run; nothing where it has none."""
    layers = list(map(_of_layer, traced.layers))
    rest = traced.batches[0].latency_ns - sum(layer.mean_ns for layer in layers) if layers else 0.0
    # layers that run side by side take more than the call
    beside = [Layer(REST, "", (), rest)] if rest > 0 else []
    return {"layers": [*layers, *beside], "kernels": list(map(_of_kernel, traced.kernels))}


def means(lists: Sequence[Sequence[Layer]]) -> list[Layer]:
    """The layers of several runs of one thing as those of one: the same name at the same place among its like."""
    times: dict[tuple[str, int], list[Layer]] = {}
    for layers in lists:
        for name, layer in zip(numbered(layer.name for layer in layers), layers, strict=True):
            times.setdefault(name, []).append(layer)
    return [
        Layer(same[0].name, same[0].type, same[0].shape, sum(layer.mean_ns for layer in same) / len(lists))
        for same in times.values()
    ]


def missing(sides: Sequence[Sequence[Traced]]) -> list[dict[str, str]]:
    """Why there are no layers or kernels on a side."""
    return [
        {"part": part, "side": letter, "reason": traced.missing[part]}
        for part in PARTS
        for letter, side in zip("ab", sides, strict=True)
        for traced in side[:1]
        if part in traced.missing
    ]


def _of_layer(layer: TracedLayer) -> Layer:
    shape = layer.outputs[0][1] if layer.outputs else ()
    return Layer(layer.name, layer.kind, tuple(shape), layer.latency_ns)


def _of_kernel(kernel: Kernel) -> Layer:
    """By implementation and shape: many kernels of a model have the implementation alone in common."""
    shape = str(kernel.attributes.get("shape") or "")
    numbers = tuple(map(int, _NUMBER.findall(shape)))
    return Layer(" ".join(filter(None, (kernel.name, shape))), kernel.kind, numbers, kernel.latency_ns)
