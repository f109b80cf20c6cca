"""A session's profile becomes spans: what is right in it, and what can be wrong with it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_onnxruntime import plugin
from mlharness_onnxruntime.nodenames import NodeNames
from mlharness_onnxruntime.predictor import OnnxRuntimePredictor
from mlharness_onnxruntime.profile import read_profile
from mlharness_onnxruntime.tracer import ProfileTracer

from mlharness.options import resolve_options
from mlharness.providers import Model
from mlharness.trace.clock import Anchor, Offset
from mlharness.trace.levels import FRAMEWORK
from mlharness.trace.spans import Spans, SpanTable

BASE = 1_700_000_000_000_000_000
ALWAYS = (0, 1 << 62)
WALL = Anchor(Offset(0, 0), Offset(0, 0))
STATS = (
    '{"main_thread": {"thread_pool_name": "session-1-intra-op", "thread_id": "140", "block_size": [1], "core": 3, '
    '"Run": 9}, "sub_threads": {"141": {"num_run": %d, "core": 0}}}'
)


def event(name: str, start: int, duration: int, category: str = "Session", thread: int = 7, args: str = "{}") -> str:
    """One line as ONNX Runtime writes it; times in microseconds."""
    return (
        f'{{"cat" : "{category}","pid" :5,"tid" :{thread},"dur" :{duration},"ts" :{start},"ph" : "X",'
        f'"name" :"{name}","args" : {args}}}'
    )


def node(name: str, start: int, duration: int, op: str = "Conv", thread: int = 7, stats: str = '""') -> str:
    """The line of a node that takes [1, 3] and [3, 2], and gives [1, 2]."""
    args = (
        f'{{"output_size" : "8","thread_scheduling_stats" : {stats},"op_name" : "{op}","node_index" : "0",'
        '"input_type_shape" : [{"float":[1,3]},{"int64":[3,2]}],"parameter_size" : "24",'
        '"provider" : "CPUExecutionProvider","output_type_shape" : [{"float":[1,2]}],"activation_size" : "12"}'
    )
    return event(f"{name}_kernel_time", start, duration, "Node", thread, args)


def run(start: int, *nodes: str, duration: int = 90) -> list[str]:
    """The lines of a run."""
    return [*nodes, event("SequentialExecutor::Execute", start + 5, duration - 10), event("model_run", start, duration)]


def write(folder: Path, lines: list[str], end: str = "\n]\n") -> Path:
    path = folder / "profile.json"
    path.write_text("[\n" + ",\n".join(lines) + end)
    return path


def read(folder: Path, lines: list[str], window: tuple[int, int] = ALWAYS, end: str = "\n]\n") -> Spans:
    spans = Spans("onnxruntime-profile", "wall")
    read_profile(write(folder, lines, end), BASE, window, NodeNames(()), spans)
    return spans


def rows(spans: Spans) -> dict[str, tuple[str, int, int]]:
    """Kind, start and duration in microseconds, by name."""
    table = spans.table(WALL)
    return {
        table.text("name", row): (
            table.text("kind", row),
            int(table.start[row] - BASE) // 1000,
            int(table.duration[row]) // 1000,
        )
        for row in range(len(table))
    }


def attributes(table: SpanTable, name: str) -> Any:
    (code,) = (place for place, text in enumerate(table.strings) if text == name)
    return json.loads(table.text("attributes", int(np.flatnonzero(table.name == code)[0])))


class TestReading:
    def test_a_run_has_its_wrappers_and_its_nodes(self, tmp_path: Path) -> None:
        found = read(tmp_path, run(100, node("a", 110, 20), node("b", 140, 30, "Relu")))
        assert rows(found) == {
            "model_run": ("call", 100, 90),
            "SequentialExecutor::Execute": ("call", 105, 80),
            "a": ("Conv", 110, 20),
            "b": ("Relu", 140, 30),
        }
        assert (found.table(WALL).level == FRAMEWORK).all()
        assert set(found.table(WALL).thread.tolist()) == {7}

    def test_a_node_says_what_is_known_of_it(self, tmp_path: Path) -> None:
        table = read(tmp_path, run(100, node("a", 110, 20), node("b", 140, 30))).table(WALL)
        assert attributes(table, "b") == {
            "index": 1,
            "provider": "CPUExecutionProvider",
            "inputs": [["float32", [1, 3]], ["int64", [3, 2]]],
            "outputs": [["float32", [1, 2]]],
            "parameter_bytes": 24,
            "output_bytes": 8,
            "activation_bytes": 12,
        }

    def test_threads_are_those_that_ran_something_since_the_node_before(self, tmp_path: Path) -> None:
        nodes = [node(name, 110 + place, 1, stats=STATS % runs) for place, (name, runs) in
                 enumerate([("a", 4), ("b", 4), ("c", 9)])]  # fmt: skip
        table = read(tmp_path, run(100, *nodes)).table(WALL)
        assert [attributes(table, name)["threads"] for name in "abc"] == [2, 1, 2]
        assert attributes(table, "a")["core"] == 3

    def test_what_ran_outside_the_test_is_left_out(self, tmp_path: Path) -> None:
        lines = [line for start in (100, 300, 500) for line in run(start, node(f"n{start}", start + 10, 20))]
        found = read(tmp_path, lines, (BASE + 200_000, BASE + 400_000))
        assert set(rows(found)) == {"model_run", "SequentialExecutor::Execute", "n300"}

    def test_nodes_of_an_inner_graph_stand_inside_theirs(self, tmp_path: Path) -> None:
        """They and their executor come first; that wraps no layers, and is left out."""
        inner = [node("inner", 115, 10), event("SequentialExecutor::Execute", 112, 20)]
        table = read(tmp_path, run(100, *inner, node("loop", 110, 40, "Loop"))).table(WALL)
        assert [attributes(table, name)["index"] for name in ("loop", "inner")] == [0, 1]
        assert [table.text("kind", row) for row in range(len(table))].count("call") == 2

    def test_a_node_on_a_thread_of_a_pool_names_its_executor(self, tmp_path: Path) -> None:
        table = read(tmp_path, run(100, node("a", 110, 20, thread=8), node("b", 110, 20))).table(WALL)
        executor = table.key[np.flatnonzero(table.key)]
        assert [int(table.parent[row]) for row in range(len(table)) if table.thread[row] == 8] == executor.tolist()
        assert (table.parent[table.thread == 7] == 0).all()

    def test_another_way_to_write_the_same_is_read_as_well(self, tmp_path: Path) -> None:
        lines = [json.dumps(json.loads(line)) for line in run(100, node("a", 110, 20))]
        assert rows(read(tmp_path, lines)) == rows(read(tmp_path, run(100, node("a", 110, 20))))

    def test_equal_names_in_one_string(self, tmp_path: Path) -> None:
        """Attributes that repeat are kept once: memory does not grow with the runs."""
        lines = [line for start in range(0, 100_000, 100) for line in run(start, node("a", start + 10, 20))]
        assert len(read(tmp_path, lines).table(WALL).strings) < 12


class TestFaults:
    def test_more_events_than_are_kept(self, tmp_path: Path) -> None:
        told = '{"max_num_events" : "1000000","dropped_event_count" : "55"}'
        found = read(tmp_path, [*run(100, node("a", 110, 20)), event("profile_truncated", 400, 0, args=told)])
        assert found.dropped == 55
        assert found.notes == ["ONNX Runtime keeps 1,000,000 events of a session, and dropped 55"]

    @pytest.mark.parametrize("cut", [3, 40, 300])
    def test_a_profile_that_is_cut_off(self, tmp_path: Path, cut: int) -> None:
        path = write(tmp_path, [*run(100, node("a", 110, 20)), *run(300, node("b", 310, 20))])
        path.write_bytes(path.read_bytes()[:-cut])
        spans = Spans("onnxruntime-profile", "wall")
        with pytest.raises(ValueError, match="cut off"):
            read_profile(path, BASE, ALWAYS, NodeNames(()), spans)
        assert rows(spans)["a"] == ("Conv", 110, 20)

    def test_something_else(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="damaged or cut off"):
            read(tmp_path, ["<html>"])

    def test_an_empty_file(self, tmp_path: Path) -> None:
        """As it is until ONNX Runtime writes it."""
        path = tmp_path / "empty.json"
        path.touch()
        with pytest.raises(ValueError, match="cut off"):
            read_profile(path, BASE, ALWAYS, NodeNames(()), Spans("onnxruntime-profile", "wall"))


def watched(path: Path, tracer: ProfileTracer, **options: Any) -> OnnxRuntimePredictor:
    resolved = resolve_options("framework 'onnxruntime'", plugin.OPTIONS, {"intra_op_num_threads": 1, **options})
    predictor = plugin.load(Model("tiny", (path,)), "cpu", resolved, tracer)
    assert isinstance(predictor, OnnxRuntimePredictor)
    return predictor


class TestSessions:
    BATCH: Any = {"x": np.ones((2, 4), np.float32)}  # noqa: RUF012  # read only

    def test_the_test_alone_is_kept(self, linear: Path, tmp_path: Path) -> None:
        tracer = ProfileTracer(tmp_path)
        predictor = watched(linear, tracer)
        predictor.predict(self.BATCH)
        tracer.begin()
        for _ in range(3):
            predictor.predict(self.BATCH)
        tracer.end()
        predictor.predict(self.BATCH)
        (spans,) = predictor.close()
        table = spans.table(WALL)
        assert [table.text("name", row) for row in range(len(table))].count("model_run") == 3
        assert tracer.collect() == ()
        assert not list(tmp_path.glob("session-*")), "what was read is not kept"

    def test_sessions_keep_profiles_of_their_own(self, linear: Path, tmp_path: Path) -> None:
        tracer = ProfileTracer(tmp_path)
        predictors = [watched(linear, tracer) for _ in range(3)]
        tracer.begin()
        for count, predictor in enumerate(predictors):
            for _ in range(count):
                predictor.predict(self.BATCH)
        tracer.end()
        runs = []
        for predictor in predictors:
            (spans,) = predictor.close()
            table = spans.table(WALL)
            runs.append([table.text("name", row) for row in range(len(table))].count("model_run"))
        assert runs == [0, 1, 2]

    def test_the_folder_went(self, linear: Path, tmp_path: Path) -> None:
        tracer = ProfileTracer(tmp_path / "gone")
        predictor = watched(linear, tracer)
        tracer.begin()
        predictor.predict(self.BATCH)
        tracer.end()
        (spans,) = predictor.close()
        assert len(spans) == 0
        with pytest.raises(ValueError, match="a profile cannot be read"):
            tracer.collect()

    @pytest.mark.parametrize("step_ms", [-50, 50])
    def test_a_clock_that_is_set_is_told_and_loses_no_run(
        self, step_ms: int, linear: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tracer = ProfileTracer(tmp_path)
        predictor = watched(linear, tracer)
        tracer.begin()
        predictor.predict(self.BATCH)
        monkeypatch.setattr("mlharness_onnxruntime.tracer.time_ns", lambda: time.time_ns() + 1_000_000 * step_ms)
        tracer.end()
        (spans,) = predictor.close()
        assert "model_run" in rows(spans)
        with pytest.raises(ValueError, match=f"the wall clock was set by {step_ms} ms"):
            tracer.collect()

    def test_no_test_came(self, linear: Path, tmp_path: Path) -> None:
        tracer = ProfileTracer(tmp_path)
        assert list(watched(linear, tracer).close()) == []
        assert tracer.collect() == ()

    def test_without_a_tracer_there_is_no_profile(self, linear: Path, tmp_path: Path) -> None:
        resolved = resolve_options("framework 'onnxruntime'", plugin.OPTIONS, {})
        predictor = plugin.load(Model("tiny", (linear,)), "cpu", resolved)
        predictor.predict(self.BATCH)
        assert list(predictor.close()) == []
        assert not list(tmp_path.glob("**/*.json"))
