"""Writing ONNX files whose bytes depend on the weights and the pinned packages alone; shared by the scripts here."""

from __future__ import annotations

import hashlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper

OPSET = 17
"""Every onnxruntime that the manifests accept reads it, and nothing in these models needs a newer one."""


def export(model: torch.nn.Module, input_name: str, shape: tuple[int, ...], output_name: str) -> Any:
    """The model in evaluation mode as an onnx.ModelProto, float32, its first axis free and named ``batch``.

    Args:
        model: takes and returns one float32 tensor.
        input_name: the input's name in the graph.
        shape: of one sample, without the batch axis.
        output_name: the output's name in the graph.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing is deprecated; the new one needs onnxscript and writes source paths into the file.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (torch.zeros((2, *shape)),),
            buffer,
            input_names=[input_name],
            output_names=[output_name],
            dynamic_axes={input_name: {0: "batch"}, output_name: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    exported = onnx.load_from_string(buffer.getvalue())
    forget_origin(exported)
    return exported


def forget_origin(model: Any) -> None:
    """Remove what says where and how the graph was traced: documentation strings and metadata."""
    model.doc_string = ""
    model.graph.doc_string = ""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]


def simplify(model: Any) -> Any:
    """The same model after onnxruntime's basic optimisations: constants folded, paddings merged into convolutions.

    These rewrites use ONNX's own operators only, so any runtime and machine can read the result.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3  # it warns that a file optimised for one machine may be slow on another
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        simple = onnx.load(path)
    used = {node.domain for node in simple.graph.node}
    for opset in [opset for opset in simple.opset_import if opset.domain not in used]:
        simple.opset_import.remove(opset)
    forget_origin(simple)
    return simple


def halve_weights(model: Any, at_least: int) -> None:
    """Store float32 weights of ``at_least`` so many numbers as float16, each behind a Cast to float32.

    A runtime folds such a Cast when it loads the file, so it computes in float32.

    Raises:
        ValueError: a weight does not fit float16.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < at_least:
            continue
        largest = np.abs(values).max()
        if largest > np.finfo(np.float16).max:
            raise ValueError(f"{tensor.name}: a weight of {largest} does not fit float16")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], f"{name}.cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def write(model: Any, path: Path, producer: str) -> str:
    """Check the model, write it, print its size, and return its sha256."""
    model.producer_name, model.producer_version = producer, ""
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    print(f"{path.name}: {len(data):,} bytes, sha256 {digest}")
    return digest
