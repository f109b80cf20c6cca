"""The profiler around real predictions, of every kind of file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic_ns
from typing import Any

import numpy as np
import pytest
from conftest import Load, freeze_linear, save_keras, save_linear
from mlharness_tensorflow import plugin, traced
from mlharness_tensorflow.predictor import TensorFlowPredictor
from mlharness_tensorflow.process import import_tensorflow

from mlharness.plugins import build_manager
from mlharness.providers import Array, TensorSpec, TraceRequest
from mlharness.trace.clock import Anchor, measure_offset
from mlharness.trace.levels import FRAMEWORK, MODEL
from mlharness.trace.spans import Spans, SpanTable, concatenate
from mlharness.trace.tree import with_parents
from mlharness.tracing import placed

Batch = dict[str, Array]
CALLS = 5


def request(folder: Path) -> TraceRequest:
    return TraceRequest(("model", "framework"), folder, "tensorflow", "cpu", {}, 2, 1)


@pytest.fixture
def tracer(tmp_path: Path) -> traced.TensorFlowTracer:
    found = plugin.open_profiler(request(tmp_path / "trace"))
    assert isinstance(found, traced.TensorFlowTracer)
    return found


def watch(tracer: Any, predictors: Sequence[TensorFlowPredictor], batch: Batch) -> SpanTable:
    """Call each predictor on a thread of its own, all at once; calls and operators, as the parent has them."""
    calls, lock = Spans("calls"), threading.Lock()
    done, release = threading.Barrier(len(predictors) + 1), threading.Event()
    before = measure_offset()

    def work(predictor: TensorFlowPredictor) -> None:
        for _ in range(CALLS):
            start = monotonic_ns()
            predictor.predict(batch)
            with lock:
                calls.add(MODEL, "predict", start, monotonic_ns() - start, kind="predict",
                          thread=threading.get_native_id())  # fmt: skip
        done.wait()
        release.wait()  # a runner's threads live on as well

    for predictor in predictors:
        tracer.know(predictor)
        predictor.predict(batch)
    tracer.start()
    tracer.begin()
    threads = [threading.Thread(target=work, args=(predictor,)) for predictor in predictors]
    for thread in threads:
        thread.start()
    done.wait()
    tracer.end()
    release.set()
    for thread in threads:
        thread.join()
    anchor = Anchor(before, measure_offset())
    return with_parents(concatenate([calls.table(anchor), tracer.collect().table(anchor)]))


def operators(table: SpanTable) -> dict[str, tuple[str, Any]]:
    """Of each operator its type and its attributes."""
    return {
        table.text("name", row): (table.text("kind", row), json.loads(table.text("attributes", row)))
        for row in np.flatnonzero(table.level == FRAMEWORK).tolist()
        if table.text("kind", row) != "call"
    }


def calls_above(table: SpanTable, rows: Sequence[int]) -> list[int]:
    """The call of the model under which each row stands."""
    found = []
    for row in rows:
        above = row
        while table.level[above] != MODEL:
            above = int(table.parent[above]) - 1
        found.append(above)
    return found


@pytest.mark.parametrize(
    ("save", "options"),
    [
        (save_linear, {}),
        (save_linear, {"freeze": False}),
        (freeze_linear, {}),
        (save_keras, {}),
        (save_keras, {"freeze": False}),
        (save_keras, {"jit_compile": True}),
    ],
)
def test_every_operator_stands_under_its_call(
    tracer: traced.TensorFlowTracer, load: Load, tmp_path: Path, save: Callable[[Path], Path],
    options: dict[str, Any],
) -> None:  # fmt: skip
    """Two predictors at the same time, whose operators share the threads of TensorFlow's pool."""
    path = save(tmp_path)
    outputs = (TensorSpec("Identity", "float32", (None, 3)),) if save is freeze_linear else ()
    predictors = [load(path, outputs=outputs, **options) for _ in range(2)]
    width = predictors[0].inputs[0].shape[1]
    table = watch(tracer, predictors, {"x": np.ones((3, width or 4), np.float32)})
    assert placed(table) == {"framework": 1.0}
    products = [row for row in range(len(table)) if table.text("kind", row).endswith("MatMul")]
    found = calls_above(table, products)
    assert len(set(found)) == len(found) == 2 * CALLS
    for row, above in zip(products, found, strict=True):
        assert table.start[above] <= table.start[row] <= table.end[row] <= table.end[above]


def test_operators_have_names_types_and_shapes(tracer: traced.TensorFlowTracer, load: Load, keras_file: Path) -> None:
    predictor = load(keras_file)
    found = operators(watch(tracer, [predictor], {"x": np.ones((3, 6), np.float32)}))
    ((kind, about),) = [found[name] for name in found if found[name][0].endswith("MatMul")]
    assert kind.startswith("_") or kind == "MatMul"  # TensorFlow may fuse it, or hand it to oneDNN
    assert about["inputs"][:2] == [["float32", [3, 6]], ["float32", [6, 3]]]
    assert about["outputs"] == [["float32", [3, 3]]]
    names = {operation.name for operation in predictor.computation.function.graph.get_operations()}
    names.add("tf.constant")  # the copy of the input, which stands in no graph
    assert {name for name, (kind, _) in found.items() if not kind.startswith("_")} <= names
    (relu,) = [about for kind, about in found.values() if kind == "Relu"]
    assert relu["outputs"] == [["float32", [3, 3]]]


def test_where_the_level_cannot_be_set_the_trace_says_so(
    tracer: traced.TensorFlowTracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traced, "_LEVEL", "no_such_symbol")
    tracer.begin()
    tracer.end()
    assert tracer.collect().notes == [traced._CHEAP]


def test_a_second_profiler_is_refused_by_tensorflow(tracer: traced.TensorFlowTracer, tmp_path: Path) -> None:
    tracer.begin()
    try:
        with pytest.raises(import_tensorflow().errors.AlreadyExistsError):
            traced.TensorFlowTracer(request(tmp_path / "other")).begin()
    finally:
        tracer.end()


def test_a_test_that_never_came_gives_nothing(tracer: traced.TensorFlowTracer) -> None:
    tracer.start()
    assert len(tracer.collect()) == 0


def test_it_is_registered_for_tensorflow_alone(tmp_path: Path) -> None:
    provider = build_manager().catalog.tracers.find("tensorflow-xplane").provider
    assert (provider.level, provider.framework) == ("framework", "tensorflow")
    assert provider.unavailable(request(tmp_path)) == ""
