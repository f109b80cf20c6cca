"""How large a loaded model is."""

from __future__ import annotations

from collections.abc import Mapping

from mlharness.providers import Array, Complexity
from mlharness_onnxruntime.graph import read_graph
from mlharness_onnxruntime.modelfile import openable
from mlharness_onnxruntime.parameters import count_parameters
from mlharness_onnxruntime.predictor import OnnxRuntimePredictor
from mlharness_onnxruntime.products import count_multiply_adds
from mlharness_onnxruntime.session import session_options

PARAMETERS = "mlharness.parameters"
"""Metadata entry with how many parameters the network had before its batch normalisations were folded."""


def complexity(predictor: OnnxRuntimePredictor, batch: Mapping[str, Array]) -> Complexity:
    """Parameters, and the multiply-adds of one sample of the batch. The file is read, and run once, for this only."""
    samples = len(next(iter(batch.values())))
    with openable(predictor.model) as path:
        products = count_multiply_adds(path, batch, session_options(predictor.options))
        told = predictor.metadata.get(PARAMETERS, "")
        parameters = int(told) if told.isdecimal() else count_parameters(read_graph(path))
        return Complexity(parameters, None if products is None else products // samples)
