"""Operators of every kind of model, as Kineto records them, and what becomes of them when there are too many."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import IMAGES, export, script
from mlharness_torch import calls, kineto, plugin
from mlharness_torch.activities import add_activities
from mlharness_torch.calls import MOST_FORMS, Calls
from mlharness_torch.kineto import KinetoTracer
from mlharness_torch.operators import outline
from mlharness_torch.profiling import Begun
from mlharness_torch.reference import module_path, refer
from mlharness_torch.watched import WatchedPredictor
from nets import Convolutions, Images

from mlharness.options import resolve_options
from mlharness.providers import Model, TensorSpec, TraceRequest
from mlharness.testing import TracerConformance
from mlharness.trace.clock import Anchor, Offset
from mlharness.trace.levels import LEVELS, SYSTEM
from mlharness.trace.parentage import LAUNCHED
from mlharness.trace.spans import Spans, SpanTable, concatenate
from mlharness.trace.tree import with_parents

WALL = Anchor(Offset(0, 0), Offset(0, 0))
CODE = {"torch": {"model": "nets:Images"}}
BATCH = np.random.default_rng(4).standard_normal((2, 3, 8, 8)).astype(np.float32)
LAYERS = ["conv2d", "batch_norm", "relu", "dropout", "mean", "linear"]


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """``saved(form)``: the file of a small network, and the manifest's attributes."""

    def save(form: str) -> tuple[Path, dict[str, Any]]:
        module = Images().eval()
        if form == "scripted":
            return script(module, tmp_path / "net.ts"), {}
        if form == "exported":
            return export(module, tmp_path / "net.pt2", torch.randn(2, 3, 8, 8)), {}
        torch.save(module.state_dict(), tmp_path / "net.pt")
        return tmp_path / "net.pt", CODE

    return save


class Traced:
    """A tracer and one predictor that it watches, on this thread."""

    def __init__(self, saved: tuple[Path, dict[str, Any]], folder: Path, every: int = 1, **options: Any) -> None:
        path, attributes = saved
        resolved = resolve_options("framework 'torch'", plugin.OPTIONS, {"intra_op_num_threads": 1, **options})
        inputs = () if path.suffix == ".pt2" else (IMAGES,)
        self.tracer = KinetoTracer(TraceRequest(LEVELS, folder, "torch", "cpu", resolved, 1, 1, every))
        self.tracer.start()
        predictor = plugin.load(Model("net", (path,), inputs, (), attributes), "cpu", resolved, self.tracer)
        assert isinstance(predictor, WatchedPredictor)
        self.predictor = predictor

    def test(self, *batches: Any, warmup: int = 4) -> Spans:
        """Warm up, call the model with the batches, and give what was recorded."""
        for _ in range(warmup):
            self.predictor.predict({"images": BATCH})
        self.tracer.begin()
        for batch in batches:
            self.predictor.predict({"images": batch})
        self.tracer.end()
        self.predictor.close()
        (spans,) = self.tracer.collect()
        return spans


def rows(spans: Spans) -> list[tuple[str, str, Any]]:
    """Name, kind and attributes."""
    table = spans.table(WALL)
    return [
        (table.text("name", row), table.text("kind", row), json.loads(table.text("attributes", row) or "{}"))
        for row in range(len(table))
    ]


def layers(spans: Spans) -> dict[str, Any]:
    """The attributes of those that are called by no other, by name."""
    return {name: about for name, kind, about in rows(spans) if "/" not in name and kind != "call"}


class TestModels:
    @pytest.mark.parametrize("form", ["eager", "scripted"])
    def test_layers_are_called_by_their_modules(self, form: str, saved: Any, tmp_path: Path) -> None:
        found = layers(Traced(saved(form), tmp_path).test(BATCH))
        named = [name for name in found if name.rpartition(".")[2] in LAYERS]
        assert named == ["conv.conv2d", "norm.batch_norm", "relu", "drop.dropout", "mean", "head.linear"]

    def test_layers_of_a_program_have_the_graphs_names(self, saved: Any, tmp_path: Path) -> None:
        found = layers(Traced(saved("exported"), tmp_path).test(BATCH))
        assert [name for name in found if name in LAYERS] == LAYERS
        assert [found[name].get("module", "") for name in LAYERS] == ["conv", "norm", "", "drop", "", "head"]

    @pytest.mark.parametrize("form", ["eager", "scripted", "exported"])
    def test_a_layer_says_what_it_takes(self, form: str, saved: Any, tmp_path: Path) -> None:
        found = layers(Traced(saved(form), tmp_path).test(BATCH))
        (conv,) = (about for name, about in found.items() if name.endswith("conv2d"))
        assert conv["inputs"] == [["float32", [2, 3, 8, 8]], ["float32", [4, 3, 3, 3]]]
        assert conv["parameter_bytes"] == 4 * 3 * 3 * 3 * 4
        assert conv["memory_bytes"] >= 2 * 4 * 6 * 6 * 4, "its output, at least"
        assert conv["module"] == "conv"

    def test_each_form_of_batch_has_its_own_shapes(self, saved: Any, tmp_path: Path) -> None:
        found = rows(Traced(saved("eager"), tmp_path).test(BATCH, BATCH[:1], BATCH))
        shapes = [about["inputs"][0][1] for _, kind, about in found if kind == "aten::conv2d"]
        assert shapes == [[2, 3, 8, 8], [1, 3, 8, 8], [2, 3, 8, 8]]

    def test_forward_of_a_torchscript_only_wraps(self, saved: Any, tmp_path: Path) -> None:
        found = rows(Traced(saved("scripted"), tmp_path).test(BATCH))
        assert [kind for name, kind, _ in found if name == "forward"] == ["call"]

    @pytest.mark.filterwarnings("ignore")  # PyTorch's own, about what its compiler imports
    @pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
    def test_fused_kernels_of_a_compiled_model_are_seen(self, saved: Any, tmp_path: Path) -> None:
        found = rows(Traced(saved("eager"), tmp_path, compile="default").test(BATCH))
        wraps = [name for name, kind, _ in found if kind == "call"]
        assert [name.split(":")[0].split(" fx")[0][:22] for name in wraps] == [
            "Torch-Compiled Region",
            "## Call CompiledFxGrap",
        ]
        assert any("cpp_fused" in name for name, _, _ in found)
        assert any(kind == "aten::convolution" for _, kind, _ in found)

    def test_a_model_that_goes_another_way_has_no_shapes(
        self, saved: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        traced = Traced(saved("eager"), tmp_path)

        def other(*arguments: Any) -> Any:
            found = refer(*arguments)
            return type(found)((*found.names[:-1], "aten::other"), found.abouts)

        monkeypatch.setattr("mlharness_torch.watched.refer", other)
        spans = traced.test(BATCH)
        assert "inputs" not in layers(spans)["conv2d"]
        assert any("other operators" in note for note in spans.notes)


class TestLimits:
    def test_calls_beyond_the_limit_are_counted(
        self, saved: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = len(Traced(saved("eager"), tmp_path).test(BATCH))
        monkeypatch.setattr(kineto, "EVENTS", 2 * whole + 5)
        spans = Traced(saved("eager"), tmp_path).test(*[BATCH] * 5)
        assert (len(spans), spans.dropped) == (2 * whole, 3 * whole)
        assert spans.notes == ["3 calls of the model have no operators: so many events are kept, and no more"]

    def test_a_sample_of_the_queries_is_heeded(self, saved: Any, tmp_path: Path) -> None:
        whole = len(Traced(saved("eager"), tmp_path).test(BATCH))
        spans = Traced(saved("eager"), tmp_path, every=2).test(*[BATCH] * 5)
        assert (len(spans), spans.dropped) == (3 * whole, 0)

    def test_so_many_forms_are_looked_at(self) -> None:
        found = Calls(1000)
        for size in range(1, MOST_FORMS + 5):
            found.form({"x": np.zeros(size, np.float32)})
        assert len(found.batches) == MOST_FORMS

    def test_large_batches_are_not_all_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(calls, "MOST_BYTES", 100)
        found = Calls(1000)
        assert [found.form({"x": np.zeros(size, np.float32)}) for size in (20, 30, 20)] == [0, 1, 0]
        assert list(found.batches) == [0]


class TestFaults:
    def test_a_closer_look_that_fails_costs_the_shapes(
        self, saved: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: Any) -> Any:
            raise RuntimeError("no memory")

        monkeypatch.setattr("mlharness_torch.watched.refer", fail)
        spans = Traced(saved("eager"), tmp_path).test(BATCH)
        assert "conv2d" in layers(spans)
        assert spans.notes == ["a form of batch has no shapes: RuntimeError: no memory"]

    def test_the_operators_of_other_threads_are_left_out(self, saved: Any, tmp_path: Path) -> None:
        traced = Traced(saved("eager"), tmp_path)
        traced.tracer.begin()
        other = threading.Thread(target=lambda: torch.ones(3) + 1)
        other.start()
        other.join()
        traced.predictor.predict({"images": BATCH})
        traced.tracer.end()
        traced.predictor.close()
        (spans,) = traced.tracer.collect()
        assert set(spans.table(WALL).thread.tolist()) == {threading.get_native_id()}

    def test_an_old_pytorch_says_what_it_cannot(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def old(**settings: Any) -> None:
            raise TypeError("profile_all_threads")

        request = TraceRequest(LEVELS, tmp_path, "torch", "cpu", {}, 1, 1)
        assert kineto.unavailable(request) == ""
        monkeypatch.setattr("torch.autograd.profiler._ExperimentalConfig", old)
        assert "can profile one thread alone" in kineto.unavailable(request)


class TestOutline:
    """Layers are the outermost operators, within what only wraps them."""

    @staticmethod
    def begun(*given: tuple[str, int, int]) -> list[Begun]:
        return [Begun(start, -duration, place, name) for place, (name, start, duration) in enumerate(given)]

    def test_nested_operators_belong_to_the_outermost(self) -> None:
        found = outline(self.begun(("aten::a", 0, 50), ("aten::b", 5, 20), ("aten::c", 6, 3), ("aten::d", 30, 5)))
        assert found == ([0, 0, 0, 0], [False] * 4)

    def test_wrappers_hold_layers(self) -> None:
        found = outline(self.begun(("forward", 0, 50), ("aten::b", 5, 20), ("aten::c", 6, 3), ("aten::d", 30, 5)))
        assert found == ([0, 1, 1, 3], [True, False, False, False])

    def test_a_name_of_no_operator_that_holds_nothing_is_a_layer(self) -> None:
        assert outline(self.begun(("fused_0", 0, 5), ("aten::b", 5, 5))) == ([0, 1], [False, False])


@pytest.mark.parametrize(
    ("hierarchy", "path"),
    [
        ("TOP(Net)::forward.8(Block)::forward._conv(Conv2d)::forward", "8._conv"),
        ("TOP(Net)::forward.SELF(Net)::inner", ""),
        ("TOP(Net)::forward.body(Body)::forward.SELF(Body)::_conv_forward", "body"),
        ("", ""),
    ],
)
def test_the_path_of_a_module(hierarchy: str, path: str) -> None:
    assert module_path(hierarchy) == path


class Activity:
    """An event of Kineto with CUDA, as its fields were documented; not recorded on a GPU here."""

    def __init__(self, activity: str, name: str, start: int, duration: int, resource: int, correlation: int) -> None:
        self._fields = (activity, name, start, duration, resource, correlation)

    def activity_type(self) -> str:
        return self._fields[0]

    def name(self) -> str:
        return self._fields[1]

    def start_ns(self) -> int:
        return self._fields[2]

    def duration_ns(self) -> int:
        return self._fields[3]

    def device_resource_id(self) -> int:
        return self._fields[4]

    def correlation_id(self) -> int:
        return self._fields[5]

    def device_index(self) -> int:
        return 0


class TestActivities:
    EVENTS: Sequence[Activity] = (
        Activity("cpu_op", "aten::conv2d", 1_000_000, 50_000, 42, 1),
        Activity("cuda_runtime", "cudaLaunchKernel", 1_010_000, 5_000, 42, 77),
        Activity("kernel", "implicit_gemm", 1_090_000, 30_000, 7, 77),
        Activity("cuda_runtime", "cudaMemcpyAsync", 1_030_000, 5_000, 42, 78),
        Activity("gpu_memcpy", "Memcpy DtoH (Device -> Pinned)", 1_130_000, 9_000, 7, 78),
        Activity("overhead", "Activity Buffer Request", 1_000_000, 5, 0, 0),
    )

    def test_kernels_stand_under_what_launched_them(self) -> None:
        spans = Spans("torch-kineto", "wall")
        assert [event.name() for event in add_activities(self.EVENTS, spans)] == ["aten::conv2d"]
        table: SpanTable = with_parents(concatenate([spans.table(WALL)]))
        kinds = [(table.text("name", row), table.text("kind", row)) for row in range(len(table))]
        assert kinds == [
            ("cudaLaunchKernel", "launch"),
            ("implicit_gemm", "kernel"),
            ("cudaMemcpyAsync", "launch"),
            ("Memcpy DtoH (Device -> Pinned)", "copy"),
        ]
        assert table.parent.tolist() == [0, 1, 0, 3]
        assert [int(table.parentage[row]) for row in (1, 3)] == [LAUNCHED] * 2
        assert (table.level == SYSTEM).all()
        assert json.loads(table.text("attributes", 1)) == {"device": 0, "stream": 7}


class TestConformance(TracerConformance):
    tracer = "torch-kineto"
    framework = "torch"

    def make_model(self, folder: Path) -> Model:
        torch.save(Images().state_dict(), folder / "net.pt")
        images = TensorSpec("images", "float32", (None, 3, 8, 8))
        return Model("net", (folder / "net.pt",), (images,), (), CODE)


class TestPrimitivesConformance(TestConformance):
    """oneDNN's, below the operators; it computes no convolution that is as small as the other network's."""

    tracer = "torch-onednn"
    calls = 5

    def make_model(self, folder: Path) -> Model:
        torch.save(Convolutions().state_dict(), folder / "net.pt")
        x = TensorSpec("x", "float32", (None, 16, 48, 48))
        return Model("net", (folder / "net.pt",), (x,), (), {"torch": {"model": "nets:Convolutions"}})
