"""Random weights with which signals neither die nor explode on their way through a deep network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from mlharness.providers import Array
from mlharness_mxnet.graph import Node

_ADDITIONS = frozenset({"elemwise_add", "broadcast_add", "_plus", "_Plus", "_add"})
_BRANCH = 0.5
"""What the branches of an addition are scaled by: over 50 blocks, as in ResNet-152, sums would grow to 10**7."""
_ONES = ("_gamma", "_running_var", "_moving_var")


def random_weights(nodes: Sequence[Node], shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
    """float32 arrays of these shapes, the same for the same seed.

    Convolutions and matrices are normal with variance 2 / fan-in, which a rectifier halves; biases and means are 0,
    scales and variances 1.
    """
    random = np.random.default_rng(seed)
    damped = damped_parameters(nodes)
    weights = {}
    for name, shape in shapes.items():
        scale = np.float32(_BRANCH if name in damped else 1.0)
        if name.endswith(_ONES):
            weights[name] = np.full(shape, scale, np.float32)
        elif name.endswith("_weight"):
            normal = random.standard_normal(shape, np.float32)
            weights[name] = normal * np.float32((2 / prod(shape[1:])) ** 0.5) * scale
        else:
            weights[name] = np.zeros(shape, np.float32)
    return weights


def damped_parameters(nodes: Sequence[Node]) -> set[str]:
    """Weight or scale of each convolution or normalisation whose output is added to something."""
    added = {number for node in nodes if node.op in _ADDITIONS for number in node.inputs}
    layers = [nodes[number] for number in added if nodes[number].op in ("Convolution", "BatchNorm")]
    return {nodes[layer.inputs[1]].name for layer in layers}
