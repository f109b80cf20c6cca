"""Profiles become spans: on profiles that are made up, so that every case is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mlharness_tensorflow.host_plane import HostPlane
from mlharness_tensorflow.operator_facts import OperatorFacts
from mlharness_tensorflow.planes import HOST, parse_profile, read_profile
from mlharness_tensorflow.traced import add_spans, name_of_dtype
from profiles import BEGAN, MadeProfile

from mlharness.trace.clock import Anchor, Offset
from mlharness.trace.levels import FRAMEWORK, SYSTEM
from mlharness.trace.spans import Spans, SpanTable, concatenate
from mlharness.trace.tree import PARENTAGE, with_parents

NOW = Offset(BEGAN, 0)
"""Times of spans then count from the profile's beginning."""


def spans_of(made: MadeProfile, graph: Any = None, threads: dict[int, int] | None = None) -> SpanTable:
    """The spans as the parent process has them, with their parents."""
    spans = Spans("tensorflow-xplane", "wall")
    profile = parse_profile(made.space.SerializeToString(), "made.xplane.pb")
    add_spans(spans, profile, threads or {}, OperatorFacts(graph or {}, name_of_dtype))
    return with_parents(concatenate([spans.table(Anchor(NOW, NOW))]))


def tree(table: SpanTable) -> dict[str, str]:
    """Each span's name with its parent's."""
    return {
        table.text("name", row): table.text("name", int(table.parent[row]) - 1) if table.parent[row] else ""
        for row in range(len(table))
    }


def about(table: SpanTable, name: str) -> Any:
    """A span's attributes."""
    (row,) = [row for row in range(len(table)) if table.text("name", row) == name]
    return json.loads(table.text("attributes", row))


def call(made: MadeProfile, line: Any, name: str, start: float, duration: float, work: int) -> None:
    """A function that Python calls, which hands its work over at once."""
    made.event(line, "EagerExecute", start, duration, eager_op=f"__inference_{name}_123", is_func=1)
    made.event(line, "KernelAndDeviceFunc::Run", start + 1, duration - 2)
    made.event(line, "FunctionRun", start + 2, 1, _pt=2, _p=work)


def take(made: MadeProfile, line: Any, start: float, duration: float, work: int) -> None:
    made.event(line, "ExecutorState::Process", start, duration, _ct=2, _c=work, iter_num=0)


class TestParents:
    def test_operators_on_shared_threads_stand_under_the_call_that_caused_them(self) -> None:
        """Two calls at the same time, whose operators run on each other's pool threads."""
        made = MadeProfile()
        one, two = made.line(1), made.line(2)
        call(made, one, "first", 0, 100, 11)
        call(made, two, "second", 0, 100, 22)
        pool, other = made.line(3, "tf_Compute/3"), made.line(4, "tf_Compute/4")
        take(made, pool, 10, 20, 22)
        made.event(pool, "b:MatMul", 12, 10)
        take(made, pool, 40, 20, 11)
        made.event(pool, "a:Conv2D", 42, 10)
        take(made, other, 10, 30, 11)
        made.event(other, "c:Relu", 12, 10)
        table = spans_of(made)
        assert tree(table) == {"first": "", "second": "", "b": "second", "a": "first", "c": "first"}
        assert {table.text("kind", row) for row in range(len(table))} == {"call", "MatMul", "Conv2D", "Relu"}

    def test_work_that_is_handed_on_twice(self) -> None:
        made = MadeProfile()
        call(made, made.line(1), "outer", 0, 100, 11)
        pool, other = made.line(2), made.line(3)
        take(made, pool, 10, 50, 11)
        made.event(pool, "FunctionRun", 20, 1, _pt=2, _p=12)
        take(made, other, 30, 20, 12)
        made.event(other, "inner:Mul", 31, 5)
        assert tree(spans_of(made))["inner"] == "outer"

    def test_an_operator_within_an_operator(self) -> None:
        made = MadeProfile()
        call(made, made.line(1), "f", 0, 100, 11)
        pool = made.line(2)
        take(made, pool, 10, 80, 11)
        made.event(pool, "branch:If", 20, 40)
        made.event(pool, "branch/mul:Mul", 25, 5)
        made.event(pool, "after:Mul", 70, 5)
        assert tree(spans_of(made)) == {"f": "", "branch": "f", "branch/mul": "branch", "after": "f"}

    def test_work_that_nobody_gave_has_no_parent(self) -> None:
        made = MadeProfile()
        take(made, made.line(1), 0, 50, 99)
        made.event((made.plane(), made.plane().lines[0]), "lost:Mul", 10, 5)
        assert tree(spans_of(made)) == {"lost": ""}

    def test_threads_are_those_of_the_operating_system(self) -> None:
        made = MadeProfile()
        call(made, made.line(-5), "f", 0, 100, 11)
        take(made, made.line(2), 10, 80, 11)
        made.event((made.plane(), made.plane().lines[1]), "a:Mul", 20, 5)
        table = spans_of(made, threads={(1 << 64) - 5: 77})
        assert sorted(table.thread.tolist()) == [0, 77]

    def test_what_is_of_the_machinery_is_left_out(self) -> None:
        made = MadeProfile()
        line = made.line(1)
        for name in ("ThreadpoolListener::Record", "ExecutorState::ScheduleReady", "EagerLocalExecute: _EagerConst",
                     "ValidateInputTypeAndPlacement", "TFE_DeleteTensorHandle", "ExecutorDone"):  # fmt: skip
            made.event(line, name, 0, 5)
        assert len(spans_of(made)) == 0

    def test_an_array_that_becomes_a_tensor_is_an_operator(self) -> None:
        made = MadeProfile()
        line = made.line(1)
        made.event(line, "tf.constant", 0, 20)
        made.event(line, "EagerExecute", 10, 5, eager_op="_EagerConst", is_func=0)
        table = spans_of(made)
        assert tree(table) == {"tf.constant": "", "_EagerConst": "tf.constant"}
        assert [table.text("kind", row) for row in range(len(table))] == ["tf.constant", "_EagerConst"]

    def test_what_xla_compiled_has_its_own_names(self) -> None:
        made = MadeProfile()
        line = made.line(1)
        made.event(line, "EagerExecute", 0, 90, eager_op="__inference_f_1", is_func=1)
        made.event(line, "__inference_f_1:__inference_f_1", 10, 70)
        made.event(line, "MatMul.4", 20, 10, hlo_op="MatMul.4", hlo_module="m")
        made.event(line, "end: MatMul.4", 31, 0.5, _ct=0, _c=1 << 32)
        made.event(line, "add_fusion", 40, 10, hlo_op="add_fusion", hlo_module="m")
        table = spans_of(made)
        assert tree(table) == {"f": "", "MatMul.4": "f", "add_fusion": "f"}
        assert [table.text("kind", row) for row in range(3)] == ["call", "MatMul", "add_fusion"]


class TestTimes:
    def test_they_count_from_the_beginning_of_the_profile_and_of_the_line(self) -> None:
        made = MadeProfile()
        line = made.line(1)
        line[1].timestamp_ns = 330
        made.event(line, "a:Mul", 2.5, 0.25)
        table = spans_of(made)
        assert (table.start[0], table.duration[0], table.level[0]) == (2830, 250, FRAMEWORK)

    def test_of_too_many_operators_the_first_are_kept_and_the_others_counted(self) -> None:
        made = MadeProfile()
        for number in (1, 2):
            line = made.line(number)
            for place in range(5):
                made.event(line, f"op{number}{place}:Mul", 10 * place + number, 1)
        spans = Spans("tensorflow-xplane", "wall")
        profile = parse_profile(made.space.SerializeToString(), "made")
        HostPlane(profile.planes[HOST], BEGAN, {}, OperatorFacts({}, str)).add_to(spans, most=5)
        table = spans.table(Anchor(NOW, NOW))
        assert [table.text("name", row) for row in range(len(table))] == ["op10", "op20", "op11", "op21", "op12"]
        assert spans.dropped == 5


class TestFacts:
    def operator(self, made: MadeProfile, name: str, shape: str, *taken: tuple[str, int, str, int]) -> None:
        line = made.line(1)
        made.event(line, f"{name}:Conv2D", 10, 20, shape=shape)
        for region, dtype, sizes, size in taken:
            made.event(line, "MemoryAllocation", 15, 0, region_type=f"&{region}", data_type=dtype, shape=sizes,
                       allocation_bytes=size, tf_op=name)  # fmt: skip

    def test_inputs_outputs_and_memory(self) -> None:
        made = MadeProfile()
        shape = "(float[1,4];int32[2];half[])"
        self.operator(made, "a", shape, ("output", 1, "[1,8]", 64), ("temp", 1, "[100]", 400))
        assert about(spans_of(made), "a") == {
            "index": 0,
            "inputs": [["float32", [1, 4]], ["int32", [2]], ["float16", []]],
            "outputs": [["float32", [1, 8]]],
            "memory_bytes": 464,
        }

    @pytest.mark.parametrize(
        ("kind", "inputs", "outputs"),
        [
            ("Mul", "(float[8];float[3,8])", [["float32", [3, 8]]]),
            ("Relu6", "(half[3,8])", [["float16", [3, 8]]]),
            ("BiasAdd", "(float[1,2,4,4];float[2])", [["float32", [1, 2, 4, 4]]]),
            ("Relu", "", None),
            ("_MklNativeFusedConv2D", "(float[5,4,4,8];float[1,1,8,2])", [["float32", [5, 4, 4, 2]]]),
            ("Reshape", "(float[5,4,4,8];int32[2])", None),
        ],
    )
    def test_without_an_allocation_an_operator_tells_its_output_where_its_type_leaves_no_doubt(
        self, kind: str, inputs: str, outputs: Any
    ) -> None:
        made = MadeProfile()
        made.event(made.line(1), f"a:{kind}", 10, 20, shape=inputs)
        graph = {"a": ("float32", (None, 4, 4, 2))}
        assert about(spans_of(made, graph), "a").get("outputs") == outputs

    @pytest.mark.parametrize("graph", [{}, {"a": ("float32", (None, None, 2))}, {"a": ("float32", ())}])
    def test_an_output_that_the_graph_leaves_open_is_left_out(self, graph: Any) -> None:
        made = MadeProfile()
        made.event(made.line(1), "a:MatMul", 10, 20, shape="(float[5,4];float[4,2])")
        assert "outputs" not in about(spans_of(made, graph), "a")

    def test_a_dtype_that_nobody_knows_keeps_its_name(self) -> None:
        made = MadeProfile()
        self.operator(made, "a", "(float[3];odd8[2])")
        assert about(spans_of(made), "a")["inputs"] == [["float32", [3]], ["odd8", [2]]]

    def test_the_index_is_that_of_the_first_time(self) -> None:
        made = MadeProfile()
        line = made.line(1)
        for start, name in enumerate(("a", "b", "a", "b")):
            made.event(line, f"{name}:Mul", start, 0.5)
        table = spans_of(made)
        assert [json.loads(table.text("attributes", row))["index"] for row in range(4)] == [0, 1, 0, 1]


class TestCuda:
    """On profiles that are made up: it has not been run on a GPU."""

    @pytest.fixture
    def made(self) -> MadeProfile:
        made = MadeProfile()
        host = made.line(1)
        call(made, host, "f", 0, 100, 11)
        pool = made.line(2)
        take(made, pool, 10, 80, 11)
        made.event(pool, "conv:Conv2D", 20, 30)
        made.event(pool, "cuLaunchKernel", 25, 5, correlation_id=7, device_id=0)
        made.event(pool, "cuMemcpyHtoDAsync_v2", 32, 5, correlation_id=8, device_id=0)
        stream = made.line(13, "Stream #13(Kernel,MemcpyH2D)", "/device:GPU:1")
        made.event(stream, "sgemm_128", 60, 9, correlation_id=7, kernel_details="&regs:32 grid:1,1,1", tf_op="&conv")
        made.event(stream, "MemcpyH2D", 70, 4, correlation_id=8, memcpy_details="kind_src:host size:4096 async:1")
        made.event(stream, "Memset", 80, 1, memset_details="kind:device num_bytes:64 async:1")
        made.event(stream, "cudaGraphExec", 82, 1)
        steps = made.line(1, "Steps", "/device:GPU:1")
        made.event(steps, "0", 0, 100)
        return made

    def test_kernels_and_copies_stand_under_their_launches(self, made: MadeProfile) -> None:
        table = spans_of(made)
        assert tree(table) == {
            "f": "", "conv": "f", "cuLaunchKernel": "conv", "cuMemcpyHtoDAsync_v2": "conv",
            "sgemm_128": "cuLaunchKernel", "MemcpyH2D": "cuMemcpyHtoDAsync_v2", "Memset": "",
        }  # fmt: skip
        found = {table.text("name", row): (table.text("kind", row), PARENTAGE[table.parentage[row]])
                 for row in range(len(table)) if table.level[row] == SYSTEM}  # fmt: skip
        assert found["sgemm_128"] == ("kernel", "launched")
        assert found["MemcpyH2D"] == ("copy", "launched")
        assert found["cuLaunchKernel"] == ("launch", "named")

    def test_they_tell_device_stream_and_size(self, made: MadeProfile) -> None:
        table = spans_of(made)
        kernel = {"device": 1, "stream": 13, "operator": "conv", "details": "regs:32 grid:1,1,1"}
        assert about(table, "sgemm_128") == kernel
        assert about(table, "MemcpyH2D")["bytes"] == 4096
        assert about(table, "Memset")["bytes"] == 64

    def test_without_a_gpu_what_only_begins_alike_is_no_launch(self) -> None:
        made = MadeProfile()
        made.event(made.line(1), "custom", 0, 5, correlation_id=7)
        assert len(spans_of(made)) == 0


class TestFaults:
    def test_no_profile(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="TensorFlow wrote no profile into"):
            read_profile(tmp_path / "missing")

    def test_one_that_is_cut_off(self, tmp_path: Path) -> None:
        made = MadeProfile()
        made.event(made.line(1), "a:Mul", 0, 5, shape="(float[1])")
        path = tmp_path / "plugins" / "profile" / "now" / "host.xplane.pb"
        path.parent.mkdir(parents=True)
        path.write_bytes(made.space.SerializeToString()[:-3])
        with pytest.raises(ValueError, match=r"host\.xplane\.pb is cut off"):
            read_profile(tmp_path)

    def test_one_without_a_beginning(self) -> None:
        made = MadeProfile(began=None)
        made.event(made.line(1), "a:Mul", 0, 5)
        with pytest.raises(ValueError, match="does not say when it began"):
            parse_profile(made.space.SerializeToString(), "made")

    def test_one_of_nothing(self) -> None:
        assert len(spans_of(MadeProfile())) == 0
