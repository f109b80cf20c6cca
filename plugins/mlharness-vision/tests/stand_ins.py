"""Models with the graph interfaces of MLPerf's classifiers, small enough to be made for a test.

Each looks at nothing but the mean of each channel. ``weights`` is float32 [3, classes] and ``bias`` float32 [classes].
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Weights = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

CLASSES = 1001
"""A background and ImageNet's thousand."""


def random_weights() -> Weights:
    """Weights that say nothing."""
    rng = np.random.default_rng(50)
    return rng.standard_normal((3, CLASSES)).astype(np.float32), np.zeros(CLASSES, np.float32)


def nearest(means: Mapping[int, npt.NDArray[Any]]) -> Weights:
    """Weights by which the class wins whose mean, [3], is the nearest; others never win."""
    weights, bias = np.zeros((3, CLASSES), np.float32), np.full(CLASSES, -1e6, np.float32)
    spread = max(float(np.abs(mean).max()) for mean in means.values())  # so that softmax stays away from 0 and 1
    for number, mean in means.items():
        weights[:, number] = 2 * mean / spread**2
        bias[number] = -(mean @ mean) / spread**2
    return weights, bias


def save_onnx(path: Path, channels: Weights, given: str, outputs: tuple[str, ...]) -> Path:
    """An ONNX file that takes float32 [batch, 3, 224, 224]; of two outputs the first is the class, int64 [batch]."""
    weights, bias = channels
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    nodes = [
        helper.make_node("ReduceMean", [given], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Gemm", ["means", "weights", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], [outputs[-1]], axis=1),
    ]
    told = [helper.make_tensor_value_info(outputs[-1], TensorProto.FLOAT, ["n", CLASSES])]
    if len(outputs) == 2:
        nodes.append(helper.make_node("ArgMax", ["scores"], [outputs[0]], axis=1, keepdims=0))
        told.insert(0, helper.make_tensor_value_info(outputs[0], TensorProto.INT64, ["n"]))
    taken = [helper.make_tensor_value_info(given, TensorProto.FLOAT, ["n", 3, 224, 224])]
    graph = helper.make_graph(nodes, "stand-in", taken, told, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


FROZEN = """
import sys
import numpy as np
import tensorflow as tf
arrays, path, given, output = sys.argv[1:]
loaded = np.load(arrays)
with tf.Graph().as_default() as graph:
    images = tf.compat.v1.placeholder(tf.float32, (None, 224, 224, 3), name=given)
    scores = tf.matmul(tf.reduce_mean(images, axis=[1, 2]), loaded["weights"]) + loaded["bias"]
    if output == "ArgMax":
        tf.argmax(scores, axis=1, name=output, output_type=tf.int64)
    else:
        tf.nn.softmax(scores, name=output)
    open(path, "wb").write(graph.as_graph_def().SerializeToString())
"""
"""A program that writes a frozen graph: in a process of its own, since TensorFlow's settings are a process's."""
