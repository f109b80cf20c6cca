"""The layers of a traced run, and what a tracer's test is told of a trace that cannot be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.errors import UserError
from mlharness.testing import NonconformanceError, layers_of
from mlharness.testing.layers import SLACK_NS
from mlharness.trace.levels import FRAMEWORK, LEVELS, MODEL
from mlharness.trace.parquet import SPANS, write_spans
from mlharness.trace.spans import Spans, concatenate
from mlharness.trace.tree import with_parents
from tests.traces import EDGE, FIRST_THREAD, NETWORK, Delay, make_run

CALL, THREAD = 100_000, 7
NAMES = ["conv1", "relu1", "conv2", "pool", "fc"]


def written(folder: Path, *layers: tuple[str, int, int]) -> Path:
    """The trace of one call from 0 to ``CALL``, whose layers, name, start and end, name it as their parent."""
    spans = Spans("test")
    spans.add(MODEL, "predict", 0, CALL, kind="predict", query=0, key=1, thread=THREAD)
    for name, start, end in layers:
        spans.add(FRAMEWORK, name, start, end - start, kind="Conv", parent=1, thread=THREAD)
    write_spans(folder / SPANS, with_parents(concatenate([spans.table()])))
    return folder


def test_each_call_has_its_layers_in_order(tmp_path: Path) -> None:
    """Also where the calls of two threads run at the same time."""
    calls = layers_of(make_run(tmp_path, queries=1, samples=6, instances=2, scenario="Offline"))
    assert len(calls) == 6
    assert [[layer.name for layer in call.layers] for call in calls] == [NAMES] * 6
    assert {call.thread for call in calls} == {FIRST_THREAD, FIRST_THREAD + 1}
    assert all(layer.thread == call.thread for call in calls for layer in call.layers)
    first, *_ = calls
    assert [layer.duration_ns for layer in first.layers] == [layer.ns for layer in NETWORK]
    assert [layer.name for layer in first.of_kind("Gemm", "Relu")] == ["relu1", "fc"]
    assert first.layers[0].attributes["inputs"][0] == ["float32", [1, 3, 32, 32]]


def test_a_layer_has_the_kernels_under_it(tmp_path: Path) -> None:
    """Those under an operator within it, too."""
    (call,) = layers_of(make_run(tmp_path, queries=1))
    assert [list(layer.kernels) for layer in call.layers] == [
        ["reorder", "convolution"], ["eltwise"], ["convolution"], [], ["matmul"],
    ]  # fmt: skip


def test_the_share_is_of_the_time_in_which_some_layer_runs(tmp_path: Path) -> None:
    calls = layers_of(make_run(tmp_path, queries=2, delays={1: Delay(predict=1_000_000)}))
    whole = sum(layer.ns for layer in NETWORK)
    assert [call.share for call in calls] == pytest.approx(
        [whole / (whole + 2 * EDGE), whole / (whole + 2 * EDGE + 10**6)]
    )


def test_what_lies_beyond_a_call_adds_nothing_to_its_share(tmp_path: Path) -> None:
    (call,) = layers_of(written(tmp_path, ("a", -SLACK_NS, 50_000), ("b", 50_000 - SLACK_NS, 75_000)))
    assert call.share == pytest.approx(0.75)


@pytest.mark.parametrize("start", [-SLACK_NS - 1, CALL - 1000 + SLACK_NS + 1])
def test_a_layer_that_reaches_beyond_its_call_is_told(tmp_path: Path, start: int) -> None:
    with pytest.raises(NonconformanceError, match=r"Call 0 of the model: the layer 'a' reaches 8\.0 us beyond it"):
        layers_of(written(tmp_path, ("a", start, start + 1000)))


def test_layers_that_overlap_are_told(tmp_path: Path) -> None:
    with pytest.raises(NonconformanceError, match="the layers 'a' and 'b' of one thread overlap by 10000 ns"):
        layers_of(written(tmp_path, ("a", 0, 50_000), ("b", 40_000, 60_000)))


def test_a_call_without_layers_is_told(tmp_path: Path) -> None:
    with pytest.raises(NonconformanceError, match="Call 0 of the model has no layers"):
        layers_of(written(tmp_path))


def test_a_trace_without_calls_is_told(tmp_path: Path) -> None:
    with pytest.raises(NonconformanceError, match="no call of the model"):
        layers_of(make_run(tmp_path, levels=LEVELS[:1]))


def test_a_run_without_a_trace_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no trace"):
        layers_of(tmp_path)
