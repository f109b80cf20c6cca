"""What several tests make: logits of answers, and a stand-in for BERT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mlharness_language.spans import Feature

from mlharness.providers import Array, DataSet

LENGTH = 384
WORDS = 30522


def logits_of(length: int, start: int, end: int) -> Array:
    """Logits that make one answer the likeliest, float32 [length, 2]."""
    logits = np.zeros((length, 2), np.float32)
    logits[start, 0] = logits[end, 1] = 5
    return logits


def squad_responses(dataset: DataSet, seed: int) -> dict[int, Array]:
    """Noise for every sample of SQuAD, and over it, for two of three, an answer near the right one."""
    draw = np.random.default_rng(seed)
    responses = {}
    for index in range(len(dataset)):
        logits = draw.standard_normal((LENGTH, 2)).astype(np.float32)
        span = find_answer(dataset.label(index))
        if span is not None and index % 3:
            start, end = span[0], span[1] + int(draw.integers(0, 3))
            logits[start, 0] += 8
            logits[min(end, LENGTH - 1), 1] += 8
        responses[index] = logits
    return responses


def find_answer(feature: Feature) -> tuple[int, int] | None:
    """The pieces of the first of people's answers, where the window shows it best."""
    for start in np.flatnonzero(feature.word_of >= 0).tolist():
        for end in range(start, min(start + 12, len(feature.word_of) - 1)):
            if feature.word_of[end] >= 0 and feature.best[start] and feature.text(start, end) == feature.answers[0]:
                return start, end
    return None


def save_stand_in(path: Path, inputs: Sequence[str], outputs: Sequence[str], seed: int = 0) -> None:
    """An ONNX model with BERT's interface: each token's logits are drawn for its id, and lowered outside the text.

    Inputs are int64 [batch, 384]: ids, mask and segments; outputs start and end logits, float32 [batch, 384].
    """
    from onnx import TensorProto, helper, numpy_helper, save

    draw = np.random.default_rng(seed)
    nodes, tables = [helper.make_node("Mul", list(inputs[1:]), ["seen"])], []
    nodes.append(helper.make_node("Cast", ["seen"], ["inside"], to=TensorProto.FLOAT))
    for name in outputs:
        table = draw.standard_normal(WORDS).astype(np.float32)
        tables.append(numpy_helper.from_array(table, f"{name}_table"))
        nodes.append(helper.make_node("Gather", [f"{name}_table", inputs[0]], [f"{name}_drawn"]))
        nodes.append(helper.make_node("Add", [f"{name}_drawn", "inside"], [name]))
    shape = ["batch_size", LENGTH]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        tables,
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


def as_log(responses: dict[int, Array]) -> list[dict[str, Any]]:
    """Entries of LoadGen's mlperf_log_accuracy.json."""
    return [
        {"seq_id": index, "qsl_idx": index, "data": row.tobytes().hex().upper(), "token_count": 0}
        for index, row in responses.items()
    ]
