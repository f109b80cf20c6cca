"""The counter, against sums that can be done by hand, and against networks whose size is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Load, tf
from mlharness_tensorflow import networks, plugin
from mlharness_tensorflow.complexity import count_constants, count_multiply_adds, measure
from mlharness_tensorflow.process import import_keras
from mlharness_tensorflow.zoo_models import names

from mlharness.providers import Complexity


def operations(build: Any) -> list[Any]:
    """What ``build(x)`` makes of x, float32 [1, 8, 8, 4]."""
    with tf.Graph().as_default() as graph:
        build(tf.compat.v1.placeholder(tf.float32, (1, 8, 8, 4), name="x"))
    return list(graph.get_operations())


def weights(*shape: int) -> Any:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("build", "multiply_adds", "parameters"),
    [
        (lambda x: tf.nn.conv2d(x, weights(3, 3, 4, 6), 1, "SAME"), 64 * 6 * 36, 216),
        (lambda x: tf.nn.conv2d(x, weights(3, 3, 4, 6), 2, "VALID"), 9 * 6 * 36, 216),
        (lambda x: tf.nn.conv2d(x, weights(3, 3, 2, 6), 1, "SAME"), 64 * 6 * 18, 108),  # two groups
        (lambda x: tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 2), (1, 1, 1, 1), "SAME"), 64 * 8 * 9, 72),
        (lambda x: tf.nn.conv2d_transpose(x, weights(2, 2, 5, 4), (1, 16, 16, 5), 2), 256 * 4 * 5, 80),
        (lambda x: tf.matmul(tf.reshape(x, (1, 256)), weights(256, 3)) + weights(3), 768, 771),
        (lambda x: tf.matmul(tf.reshape(x, (256, 1)), weights(256, 3), transpose_a=True), 768, 768),
        (lambda x: tf.matmul(x, x, transpose_b=True), 8 * 64 * 4, 0),
        (lambda x: tf.einsum("bhwc,cd->bhwd", x, weights(4, 7)), 256 * 7, 28),
        (lambda x: tf.einsum("...c,cd->...d", x, weights(4, 7)), 256 * 7, 28),
        (lambda x: tf.nn.batch_normalization(x, weights(4), weights(4), weights(4), weights(4), 1e-3), 0, 8),
        (lambda x: tf.compat.v1.nn.fused_batch_norm(x, weights(4), weights(4), weights(4), weights(4),
                                                    is_training=False), 0, 8),
        (lambda x: tf.nn.relu(x) * 2.0 + 1.0, 0, 0),
    ],
)  # fmt: skip
def test_operations_by_hand(build: Any, multiply_adds: int, parameters: int) -> None:
    made = operations(build)
    assert count_multiply_adds(made) == multiply_adds
    assert count_constants(made) == parameters


def test_a_tied_weight_counts_once() -> None:
    def build(x: Any) -> Any:
        w = tf.constant(weights(4, 4))
        return tf.matmul(tf.matmul(tf.reshape(x, (64, 4)), w), tf.identity(tf.transpose(w)))

    assert count_constants(operations(build)) == 16


def test_an_unknown_size_is_not_guessed() -> None:
    with tf.Graph().as_default() as graph:
        tf.matmul(tf.compat.v1.placeholder(tf.float32, (None, 4)), weights(4, 2))
    assert count_multiply_adds(graph.get_operations()) is None


@pytest.mark.parametrize("lowered", [True, False])
def test_work_in_a_loop_is_not_guessed(lowered: bool) -> None:
    def build(x: Any) -> Any:
        body = lambda y: (tf.matmul(y, weights(4, 4)),)  # noqa: E731  # what the loop takes
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 9, body, (tf.reshape(x, (64, 4)),))

    switch = tf.compat.v1.disable_control_flow_v2 if lowered else tf.compat.v1.enable_control_flow_v2
    switch()
    try:
        made = operations(build)
    finally:
        tf.compat.v1.enable_control_flow_v2()
    assert {"Enter" if lowered else "StatelessWhile"} <= {operation.type for operation in made}
    assert count_multiply_adds(made) is None


@pytest.mark.parametrize("options", [{}, {"freeze": False}, {"jit_compile": True}])
def test_a_saved_model(load: Load, saved_model: Path, options: dict[str, Any]) -> None:
    """The variable that is not trained is no parameter; two samples cost twice as much as one."""
    loaded = load(saved_model, **options)
    for count in (1, 2):
        assert plugin.complexity(loaded, {"x": np.ones((count, 4), np.float32)}) == Complexity(15, 12)


def test_a_frozen_graph(load: Load, frozen: Path) -> None:
    """Nobody can tell any more that the vector which is added last was not trained."""
    loaded = load(frozen, attributes={"output_layer": ["Identity", "Identity_1"]})
    assert measure(loaded, {loaded.inputs[0].name: np.ones((1, 4), np.float32)}) == Complexity(18, 12)


def test_batch_normalisation_of_keras(load: Load, keras_file: Path) -> None:
    loaded = load(keras_file)
    assert measure(loaded, {"x": np.ones((1, 6), np.float32)}) == Complexity(6 * 3 + 3 + 2 * 3, 18)


def trainable(network: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        ("alexnet", 61_100_840, 714_188_480),
        ("resnet18", 11_689_512, 1_814_073_344),
        ("resnet34", 21_797_672, 3_663_761_408),
        ("resnet50", 25_583_592, 3_857_973_248),
    ],
)
def test_networks_of_the_zoo(name: str, parameters: int, multiply_adds: int) -> None:
    """torchvision's figures for the first three; ResNet-50 has its stride on the 1x1, as Keras builds it."""
    keras = import_keras()
    # Symbolic: nothing of these sizes is computed, nor drawn at random.
    with keras.utils.custom_object_scope({}), tf.Graph().as_default() as graph:
        made = networks.BUILDERS.get(name) or (
            lambda classes: getattr(keras.applications, names()[name])(weights=None, classifier_activation=None)
        )
        network = made(1000)
        network(tf.compat.v1.placeholder(tf.float32, (1, 224, 224, 3)), training=False)
        assert trainable(network) == parameters
        assert count_multiply_adds(graph.get_operations()) == multiply_adds
