"""The profiler around real predictions, in processes of their own: it can be set up once in each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_mxnet import plugin

from mlharness.plugins import build_manager
from mlharness.providers import TraceRequest

PROGRAM = """
import json, sys, threading
import numpy as np
from pathlib import Path
from mlharness.options import resolve_options
from mlharness.providers import Model, TensorSpec, TraceRequest
from mlharness.trace.spans import Spans
from mlharness_mxnet import plugin
options = resolve_options("mxnet", plugin.OPTIONS, json.loads(sys.argv[1]))
folder, count = Path(sys.argv[2]), int(sys.argv[3])
(folder / "trace").mkdir()
tracer = plugin.open_profiler(TraceRequest(("framework",), folder / "trace", "mxnet", "cpu", options, count, 1))
tracer.start()
model = Model("small", tuple(map(Path, sys.argv[4:])), (TensorSpec("image", "float32", (None, 3, 8, 8)),))
made, closed, batches = threading.Barrier(count + 1), threading.Barrier(count + 1), (1, 2, 1)

def work():
    predictor = plugin.load(model, "cpu", options, tracer)
    predictor.predict({"image": np.ones((1, 3, 8, 8), np.float32)})
    made.wait()
    made.wait()
    for rows in batches:
        predictor.predict({"image": np.ones((rows, 3, 8, 8), np.float32)})
    closed.wait()
    closed.wait()
    predictor.close()

threads = [threading.Thread(target=work) for _ in range(count)]
for thread in threads:
    thread.start()
made.wait()
tracer.begin()
made.wait()
closed.wait()
tracer.end()
closed.wait()
for thread in threads:
    thread.join()
tracer.collect().save(folder / "spans.npz")
print(json.dumps([thread.native_id for thread in threads]))
"""


@pytest.fixture
def files(mx: Any, tmp_path: Path) -> tuple[Path, Path]:
    """float32 [batch, 3, 8, 8] -> conv [batch, 4, 8, 8] -> bn -> relu -> pool [batch, 4, 4, 4] -> fc [batch, 5]."""
    random = np.random.default_rng(2)
    net = mx.sym.Convolution(mx.sym.var("image"), kernel=(3, 3), num_filter=4, pad=(1, 1), no_bias=True, name="conv")
    net = mx.sym.Activation(mx.sym.BatchNorm(net, fix_gamma=False, name="bn"), "relu", name="relu")
    net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), name="pool")
    net = mx.sym.FullyConnected(net, num_hidden=5, name="fc")
    paths = tmp_path / "small-symbol.json", tmp_path / "small-0000.params"
    net.save(str(paths[0]))
    shapes, _, _ = net.infer_shape(image=(1, 3, 8, 8))
    pairs = zip(net.list_arguments(), shapes, strict=True)
    arrays = {f"arg:{name}": mx.nd.array(random.standard_normal(shape)) for name, shape in pairs if name != "image"}
    arrays |= {"aux:bn_moving_mean": mx.nd.zeros((4,)), "aux:bn_moving_var": mx.nd.ones((4,))}
    mx.nd.save(str(paths[1]), arrays)
    return paths


class Traced:
    """What a process with some predictors recorded: each operator's name, type, thread and attributes."""

    def __init__(self, folder: Path, files: tuple[Path, Path], options: dict[str, Any], predictors: int) -> None:
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(options), str(folder), str(predictors)]
        done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self.threads = json.loads(done.stdout.splitlines()[-1])
        from mlharness.trace.clock import Anchor, Offset
        from mlharness.trace.spans import Spans

        self.spans = Spans.load(folder / "spans.npz")
        table = self.spans.table(Anchor(Offset(0, 0), Offset(0, 0)))
        self.operators = [
            (table.text("name", row), table.text("kind", row), int(table.thread[row]), table.text("attributes", row))
            for row in range(len(table))
        ]


def test_two_predictors_on_threads_of_their_own(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Every operator has its thread, its layer's name, and the shapes of its batch; what is fused says what it is."""
    traced = Traced(tmp_path, files, {"threads": 1}, 2)
    assert traced.spans.notes == []
    for thread in traced.threads:
        own = [operator for operator in traced.operators if operator[2] == thread]
        assert [name for name, *_ in own] == ["sg_mkldnn_conv_bn_act_0", "pool", "sg_mkldnn_fully_connected_0"] * 3
        assert [kind for _, kind, *_ in own[:3]] == ["_sg_mkldnn_conv", "Pooling", "_sg_mkldnn_fully_connected"]
        about = [json.loads(text) for *_, text in own]
        assert about[0]["fuses"] == ["conv", "bn", "relu"]
        assert about[0]["inputs"][:2] == [["float32", [1, 3, 8, 8]], ["float32", [4, 3, 3, 3]]]
        assert [about[place]["outputs"] for place in (0, 3, 6)] == [
            [["float32", [rows, 4, 8, 8]]] for rows in (1, 2, 1)
        ]
        assert [one["index"] for one in about] == [0, 1, 2] * 3
        assert (about[4]["parameter_bytes"], about[4]["output_bytes"]) == (0, 4 * 2 * 4 * 4 * 4)
        assert about[2]["parameter_bytes"] == 4 * (5 * 64 + 5)


@pytest.mark.parametrize(("predictors", "pool"), [(1, "pool"), (2, "Pooling")])
def test_on_the_engine_s_own_thread(files: tuple[Path, Path], tmp_path: Path, predictors: int, pool: str) -> None:
    """It works for all predictors: names are certain for a single one. Nothing is taken together."""
    options = {"threads": 1, "engine": "threaded", "bulk": True, "subgraph_backend": "NONE"}
    traced = Traced(tmp_path, files, options, predictors)
    kinds = [kind for _, kind, *_ in traced.operators]
    assert sorted(set(kinds)) == ["Activation", "BatchNorm", "Convolution", "FullyConnected", "Pooling"]
    assert len(kinds) == 5 * 3 * predictors
    assert {name for name, kind, *_ in traced.operators if kind == "Pooling"} == {pool}
    (engine,) = {thread for _, _, thread, _ in traced.operators}
    assert engine not in (0, *traced.threads)
    assert bool(traced.spans.notes) == (predictors == 2)


def test_it_is_registered_for_mxnet_alone(tmp_path: Path) -> None:
    tracers = build_manager().catalog.tracers
    found = {name: tracers.find(name).provider for name in ("mxnet-profiler", "mxnet-onednn")}
    assert {name: (one.level, one.framework) for name, one in found.items()} == {
        "mxnet-profiler": ("framework", "mxnet"),
        "mxnet-onednn": ("library", "mxnet"),
    }
    request = TraceRequest(("library",), tmp_path, "mxnet", "cpu", {}, 1, 1)
    assert found["mxnet-onednn"].unavailable(request) == ""
    assert "cuda:0" in plugin.no_onednn(TraceRequest(("library",), tmp_path, "mxnet", "cuda:0", {}, 1, 1))


def test_a_test_that_never_came_gives_nothing(tmp_path: Path) -> None:
    tracer = plugin.open_profiler(TraceRequest(("framework",), tmp_path, "mxnet", "cpu", {}, 1, 1))
    tracer.start()
    assert len(tracer.collect()) == 0
