"""Builds models of the zoo: those of ``keras.applications``, and those that Keras lacks.

Every model takes ``images``, float32 [batch, height, width, 3] in the size that the network was published for
(224 x 224 for most), and gives ``logits``, float32 [batch, 1000].
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness_tensorflow import networks
from mlharness_tensorflow.process import import_keras, import_tensorflow
from mlharness_tensorflow.zoo_uri import ZooModel, fold

CLASSES = 1000
_OPSET = 17  # old enough for every onnxruntime that mlharness allows


def build(model: ZooModel) -> Any:
    """The Keras model, with seeded random or ImageNet weights. Raises UserError for what the zoo does not have."""
    keras = import_keras()
    keras.utils.set_random_seed(model.seed)
    own = networks.BUILDERS.get(model.name)
    if own is not None and model.weights != "none":
        raise UserError(f"{model.uri}: there are no {model.weights} weights for it", "Use weights=none.")
    network = own(CLASSES) if own is not None else _of_keras(model)
    if model.weights == "none":
        _enliven(network, model.seed)
    return _named(network, model.name)


def export_onnx(path: Path, target: Path) -> None:
    """Write a model of the zoo as ONNX: the same ``images`` (NHWC) and ``logits``, operator set 17.

    Raises:
        UserError: the model holds something that cannot be exported.
    """
    tf, keras = import_tensorflow(), import_keras()
    import onnx
    import tf2onnx

    network = keras.models.load_model(path, compile=False)
    signature = [tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="images")]
    function = tf.function(lambda images: network(images, training=False), input_signature=signature, autograph=False)
    try:
        exported, _ = tf2onnx.convert.from_function(function, signature, opset=_OPSET)
    except Exception as error:  # whatever the exporter stumbles over is in the model
        raise UserError(f"{path.stem} cannot be exported to ONNX: {error}", "Use the framework tensorflow.") from error
    _rename_output(exported.graph, "logits")
    for tensor in (*exported.graph.input, *exported.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(exported, str(target))


def _rename_output(graph: Any, name: str) -> None:
    """Give the only output of an ONNX graph its name, wherever the graph has it."""
    old = graph.output[0].name
    graph.output[0].name = name
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [name if tensor == old else tensor for tensor in side]


def names() -> dict[str, str]:
    """Every model of the zoo: folded name to the name that is shown."""
    applications = import_keras().applications
    makers = {name for name, value in vars(applications).items() if inspect.isfunction(value)}
    return {fold(name): name for name in (*makers, *networks.BUILDERS)}


def _of_keras(model: ZooModel) -> Any:
    """A model of ``keras.applications``."""
    keras = import_keras()
    known = names()
    if model.name not in known:
        raise UserError(f"{model.uri}: the Keras zoo has no {model.name!r}", did_you_mean(model.name, known.values()))
    make: Callable[..., Any] = getattr(keras.applications, known[model.name])
    if model.weights == "none":
        return make(weights=None, classes=CLASSES, classifier_activation=None)
    keras.config.disable_interactive_logging()  # Keras draws a bar on standard output
    try:
        return make(weights=model.weights, classifier_activation=None)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise UserError(
            f"{model.uri}: Keras cannot bring the weights: {' '.join(str(error).split())}",
            "Check the network and run the command again, or use weights=none: random weights time the same.",
        ) from error


def _enliven(network: Any, seed: int) -> None:
    """Draw the depthwise kernels anew, for the few inputs that each of their outputs really has.

    Keras takes all channels for inputs, which makes them so small that a MobileNet's logits would be about 1e-12.
    """
    random = np.random.default_rng(seed)
    for layer in network.layers:
        kernel = getattr(layer, "depthwise_kernel", None)
        if kernel is None and type(layer).__name__ == "DepthwiseConv2D":
            kernel = layer.kernel
        if kernel is not None:
            spread = np.sqrt(2 / np.prod(kernel.shape[:2]))  # keeps the variance through a rectifier
            kernel.assign(random.normal(0, spread, kernel.shape).astype(np.float32))


def _named(network: Any, name: str) -> Any:
    """The network between an input and an output whose names are the same for all of the zoo."""
    keras = import_keras()
    images = keras.Input(network.input_shape[1:], name="images")
    logits = keras.layers.Identity(name="logits")(network(images))
    return keras.Model(images, logits, name=name)
