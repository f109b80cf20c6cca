"""From spans to layers and kernels: what is a layer, what stands under it, which repetitions belong together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlharness.analysis.asking import ask
from mlharness.analysis.catalogue import find_analysis
from mlharness.analysis.loading import trace_of, why_not
from mlharness.analysis.traced import Traced
from mlharness.errors import UserError
from mlharness.rundir import RESULT
from mlharness.trace.files import level_folder
from mlharness.trace.levels import FRAMEWORK, LEVELS, LIBRARY, MODEL, SYSTEM
from mlharness.trace.parquet import SPANS, write_spans
from mlharness.trace.spans import Spans, concatenate
from mlharness.trace.tree import with_parents
from tests.traces import NETWORK, Delay, Layer, Primitive, make_run
from tests.unit.analysis.conftest import rows_of
from tests.unit.analysis.golden import traced_run, with_peaks

CALL_NS = 1_000_000


def written(run: Path, spans: Spans) -> Traced:
    """A run whose trace is replaced by these spans, of which parents are named by keys."""
    write_spans(run / SPANS, with_parents(concatenate([spans.table()])))
    return trace_of(run)


def calls(count: int) -> Spans:
    """So many calls of the model, one after the other; their keys count from 1."""
    spans = Spans("test")
    for number in range(count):
        spans.add(MODEL, "predict", number * CALL_NS, CALL_NS, kind="predict", query=number, key=number + 1)
    return spans


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path)


def test_an_operator_within_another_is_no_layer(traced: Traced) -> None:
    assert [layer.name for layer in traced.layers] == ["conv1", "relu1", "conv2", "pool", "fc"]
    assert traced.kernels_of[0][0].kind == "reorder", "it stands under the operator within the layer"


def test_an_operator_under_several_calls_of_the_framework_is_a_layer(run: Path) -> None:
    spans = calls(1)
    spans.add(FRAMEWORK, "outer", 0, 900, kind="call", key=10, parent=1)
    spans.add(FRAMEWORK, "inner", 0, 900, kind="call", key=11, parent=10)
    spans.add(FRAMEWORK, "conv", 0, 500, kind="Conv", key=12, parent=11)
    spans.add(FRAMEWORK, "wrapped", 0, 400, kind="call", key=13, parent=12)
    assert [layer.name for layer in written(run, spans).layers] == ["conv"]


def test_the_outermost_primitive_is_the_kernel(run: Path) -> None:
    spans = calls(1)
    spans.add(FRAMEWORK, "conv", 0, 900, kind="Conv", key=10, parent=1)
    spans.add(LIBRARY, "whole", 0, 800, kind="convolution", key=11, parent=10)
    spans.add(LIBRARY, "part", 0, 300, kind="gemm", key=12, parent=11)
    assert [(kernel.name, kernel.layer) for kernel in written(run, spans).kernels] == [("whole", 0)]


def test_a_kernel_under_no_layer_is_kept_and_told(run: Path) -> None:
    spans = calls(1)
    spans.add(FRAMEWORK, "conv", 0, 500, kind="Conv", key=10, parent=1)
    spans.add(LIBRARY, "lost", 600, 100, kind="reorder", key=11, parent=1)
    traced = written(run, spans)
    assert [(kernel.name, kernel.layer) for kernel in traced.kernels] == [("lost", None)]
    assert "1 of 1 kernels stand under no layer" in traced.kernel_notes


def test_what_stands_under_no_call_is_left_out(run: Path) -> None:
    spans = calls(1)
    spans.add(FRAMEWORK, "conv", 0, 500, kind="Conv", key=10, parent=1)
    spans.add(FRAMEWORK, "warm-up", -900, 500, kind="Conv", key=11)
    assert [layer.name for layer in written(run, spans).layers] == ["conv"]


def test_layers_of_one_name_are_told_apart_by_their_order(run: Path) -> None:
    spans = calls(3)
    for number in range(3):
        for place, length in enumerate((100, 900)):
            spans.add(FRAMEWORK, "conv", number * CALL_NS + 1000 * place, length, kind="Conv", parent=number + 1)
    found = written(run, spans).layers
    assert [(layer.index, layer.latency_ns, layer.repetitions) for layer in found] == [(0, 100, 3), (1, 900, 3)]


@pytest.mark.parametrize(("count", "wanted"), [(1, 0), (4, 1.5), (5, 2), (9, 4), (10, 4.5), (11, 5)])
def test_a_fifth_is_trimmed_at_each_end(run: Path, count: int, wanted: float) -> None:
    """Latencies are 0, 1 ... but the last is a million: it is trimmed from five repetitions on."""
    spans = calls(count)
    for number in range(count):
        length = 1_000_000 if number == count - 1 and count >= 5 else number
        spans.add(FRAMEWORK, "conv", number * CALL_NS, length, kind="Conv", parent=number + 1)
    assert written(run, spans).layers[0].latency_ns == wanted


def test_a_layer_that_did_not_run_in_every_call_is_told(run: Path) -> None:
    spans = calls(2)
    spans.add(FRAMEWORK, "conv", 0, 500, kind="Conv", parent=1)
    traced = written(run, spans)
    assert traced.layers[0].repetitions == 1
    assert "1 layers did not run in every call, or their spans were lost" in traced.layer_notes


def test_only_calls_of_the_commonest_batch_count(tmp_path: Path) -> None:
    traced = traced_run(tmp_path, scenario="Offline", queries=1, samples=9, batch=2, instances=2, delays={})
    assert [(size.batch, size.calls) for size in traced.batches] == [(2, 4), (1, 1)]
    assert [layer.repetitions for layer in traced.layers] == [4] * 5
    assert "1 calls with other batches are left out" in traced.layer_notes
    found = {row["property"]: row["value"] for row in rows_of(traced, "A1")}
    assert found["predict_throughput_batch_2"] == 2 * found["predict_throughput_batch_1"]


def test_kernels_of_a_gpu_are_those_that_were_launched(tmp_path: Path) -> None:
    traced = traced_run(tmp_path, device="cuda:0", delays={})
    assert traced.on_gpu
    assert [(kernel.name, kernel.layer) for kernel in traced.kernels][:3] == [
        ("jit:uni", 0), ("brgconv:avx2", 0), ("jit:avx2", 1),
    ]  # fmt: skip
    assert rows_of(traced, "A13")[0]["kernel_ns"] == 350_000


def test_what_a_source_does_not_tell_of_kernels_is_said(tmp_path: Path) -> None:
    layers = [Layer("conv", "Conv", 200_000, primitives=[Primitive("kernel", "volta_sgemm", 100_000)])]
    traced = traced_run(tmp_path, device="cuda:0", layers=layers, delays={})
    assert [row["flops"] for row in rows_of(traced, "A8")] == [None]
    assert traced.work_notes[-2:] == [
        "operations and bytes: n/a (the source tells none)", "occupancy: n/a (the source tells none)",
    ]  # fmt: skip


def test_kernels_that_outlast_their_layer_leave_nothing_and_are_told(tmp_path: Path) -> None:
    late = Primitive("convolution", "late", 300_000)
    layers = [Layer("conv", "Conv", 200_000, primitives=[late]), Layer("rest", "Relu", 400_000)]
    traced = traced_run(tmp_path, device="cuda:0", layers=layers, delays={})
    found = rows_of(traced, "A13")[0]
    assert (found["kernel_ns"], found["non_kernel_ns"], found["kernel_share"]) == (300_000, 0, 1)
    assert any("of 1 layers last longer" in note for note in find_analysis("A13").run(traced).notes)


def test_what_a_framework_does_not_show_is_missing_with_its_reason(tmp_path: Path) -> None:
    layers = [replace(layer, primitives=()) for layer in NETWORK]
    reason = "this framework shows no kernels below its nodes"
    traced = traced_run(tmp_path, layers=layers, missing={"library": reason})
    assert traced.missing == {"kernels": f"the level library is missing: {reason}"}
    assert rows_of(traced, "A11") == []
    assert rows_of(traced, "A14")[2]["bound"] == "compute", "of layers the shapes suffice"


@pytest.mark.parametrize(("levels", "gone"), [(LEVELS[:3], {"kernels"}), (LEVELS[:2], {"layers", "kernels"}),
                                              (LEVELS[:1], {"layers", "kernels"})])  # fmt: skip
def test_a_level_that_was_not_traced_is_told(tmp_path: Path, levels: Sequence[str], gone: set[str]) -> None:
    traced = traced_run(tmp_path, levels=levels)
    assert set(traced.missing) == gone
    assert all("--trace full" in why or "no call" in why for why in traced.missing.values())
    assert rows_of(traced, "A1")[0]["value"] == "tiny 1.0"


def test_why_a_level_is_broken_is_said() -> None:
    about = {"state": "broken", "reasons": ["the profile is cut off", "twice"]}
    found = why_not({"trace": {"levels": {"framework": about}}}, "framework")
    assert found == "the level framework is broken: the profile is cut off; twice"


def test_attributes_that_are_no_object_are_none(run: Path) -> None:
    spans = calls(1)
    spans.add(FRAMEWORK, "conv", 0, 500, kind="Conv", parent=1, attributes="[1]")
    spans.add(FRAMEWORK, "relu", 500, 50, kind="Relu", parent=1, attributes='{"memory_bytes":"many"}')
    spans.add(FRAMEWORK, "add", 600, 50, kind="Add", parent=1, attributes="{")
    spans.add(SYSTEM, "running", 0, 50, kind="running", attributes="")
    found = written(run, spans).layers
    assert [(layer.attributes, layer.memory_bytes) for layer in found][::2] == [({}, None), ({}, None)]
    assert found[1].memory_bytes is None


def test_each_levels_times_are_those_of_the_run_without_deeper_levels(tmp_path: Path) -> None:
    """The deep run is slower, lacks a layer, and runs two others in the opposite order."""
    conv1, relu1, conv2, _, fc = NETWORK
    slow = [replace(layer, ns=layer.ns + 50_000) for layer in (conv1, conv2, relu1, fc)]
    run = make_run(tmp_path / "deep", layers=slow)
    for level, depth in (("model", 2), ("framework", 3)):
        shallow = make_run(tmp_path / level, levels=LEVELS[:depth], layers=NETWORK[: depth + 2], queries=9 // depth)
        level_folder(run, level).mkdir(parents=True)
        (shallow / SPANS).rename(level_folder(run, level) / SPANS)
    traced = with_peaks(trace_of(run))
    assert traced.batches[0].latency_ns == 100_000 + 400_000 + 100_000 + 300_000 + 50_000
    assert [(layer.name, layer.latency_ns) for layer in traced.layers] == [
        ("conv1", 400_000), ("relu1", 100_000), ("conv2", 300_000), ("pool", 50_000), ("fc", 50_000),
    ]  # fmt: skip
    assert [(kernel.kind, kernel.layer) for kernel in traced.kernels] == [
        ("reorder", 0), ("convolution", 0), ("convolution", 2), ("eltwise", 1), ("matmul", 4),
    ]  # fmt: skip
    assert traced.layers_share == pytest.approx(0.9)
    assert traced.layer_notes == ["3 calls of the model with a batch of 1; trimmed means"]


def test_a_shallow_run_that_recorded_nothing_is_passed_over(tmp_path: Path) -> None:
    run = make_run(tmp_path / "deep")
    shallow = make_run(tmp_path / "shallow", levels=LEVELS[:2])
    level_folder(run, "framework").mkdir(parents=True)
    (shallow / SPANS).rename(level_folder(run, "framework") / SPANS)
    assert len(trace_of(run).layers) == len(NETWORK)


def test_outputs_that_a_framework_does_not_tell_are_the_next_layers_inputs(tmp_path: Path) -> None:
    layers = [replace(layer, kind=layer.kind.replace("Conv", "aten::conv2d"), outputs=()) for layer in NETWORK]
    found = rows_of(traced_run(tmp_path, layers=layers), "A14")
    assert [row["flops"] for row in found] == [884_736, 16_384, 4_718_592, 16_384, 320], "the last by its primitive"


def test_memory_is_the_size_of_outputs_where_nothing_better_is_told(run: Path) -> None:
    spans = calls(1)
    spans.add(FRAMEWORK, "conv", 0, 500, kind="Conv", parent=1, attributes={"output_bytes": 64})
    table = rows_of(with_peaks(written(run, spans)), "A4")
    assert table[0]["memory_bytes"] == 64


def test_a_run_without_a_trace_is_the_users_error(run: Path) -> None:
    (run / SPANS).unlink()
    with pytest.raises(UserError, match="has no trace"):
        trace_of(run)


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_a_run_without_a_result_is_the_users_error(run: Path, text: str | None) -> None:
    (run / RESULT).unlink()
    if text is not None:
        (run / RESULT).write_text(text)
    with pytest.raises(UserError, match=r"result\.json"):
        trace_of(run)


def test_sql_answers_about_spans_and_what_is_made_of_them(run: Path) -> None:
    table = ask(run, "SELECT kind, count(*) AS n FROM layers JOIN spans USING (kind) GROUP BY kind ORDER BY kind")
    assert [column.key for column in table.columns] == ["kind", "n"]
    assert table.rows[0] == ["Conv", 2 * 10]
    assert ask(run, "SELECT max(value) FROM telemetry").rows == [[3000.0]]
    assert ask(run, "CREATE TABLE mine AS SELECT 1 AS one").missing == ""


def test_sql_that_is_none_is_the_users_error(run: Path) -> None:
    with pytest.raises(UserError, match="nonsense") as caught:
        ask(run, "SELECT nonsense FROM spans")
    assert "telemetry" in caught.value.remedy


_PRIMITIVES = st.lists(st.integers(20_000, 90_000), max_size=3)
_LAYER = st.tuples(st.sampled_from(["Conv", "Relu", "Gemm"]), st.integers(1, 50_000), _PRIMITIVES, st.booleans())


@settings(max_examples=20)  # each writes and reads the files of a run
@given(st.lists(_LAYER, min_size=1, max_size=6), st.integers(1, 4), st.integers(0, 300_000))
def test_shares_are_a_whole_and_every_layer_is_split(
    tmp_path_factory: pytest.TempPathFactory, layers: list[tuple[str, int, list[int], bool]], queries: int, slow: int
) -> None:
    made = [
        Layer(f"layer{place}", kind, 10_000 + rest + sum(primitives), (), (), 64 * place,
              primitives=[Primitive("convolution", "jit", ns, flops=ns, bytes=1 + ns) for ns in primitives],
              inner="inner" if inner else "")
        for place, (kind, rest, primitives, inner) in enumerate(layers, 1)
    ]  # fmt: skip
    delays = {queries - 1: Delay(predict=slow)}
    traced = traced_run(tmp_path_factory.mktemp("runs"), layers=made, queries=queries, delays=delays)
    assert [layer.latency_ns for layer in traced.layers] == [layer.ns for layer in made]
    for number in ("A3", "A4", "A5", "A6", "A7"):
        assert sum(row["share"] for row in rows_of(traced, number)) == pytest.approx(1)
    if traced.kernels:
        for row, layer in zip(rows_of(traced, "A13"), made, strict=True):
            assert row["kernel_ns"] == sum(primitive.ns for primitive in layer.primitives)
            assert row["kernel_ns"] + row["non_kernel_ns"] == row["latency_ns"]
        for number, key in (("A10", "share"), ("A12", "flops_share"), ("A12", "bytes_share")):
            assert sum(row[key] or 0 for row in rows_of(traced, number)) == pytest.approx(1)


def test_the_document_is_json(traced: Traced) -> None:
    found: dict[str, Any] = json.loads(json.dumps(rows_of(traced, "A2")))
    assert len(found) == len(NETWORK)
